use std::time::Duration;

use stream::{Epoch, InstanceName, Item};

use super::*;
use crate::history::History;
use crate::run::RunOptions;

/// Longer than any of these takes.
const PATIENCE: Duration = Duration::from_mins(1);

fn epoch_of(message: &ToEncode) -> Epoch {
    let ToEncode::Cut(cut) = message else { panic!("only cuts are sent") };
    let [only] = cut.entry.items.as_slice() else { panic!("one item: {:?}", cut.entry.items) };
    assert_eq!(only.item, Item::Owner(Some(InstanceName(Arc::from("me")))));
    cut.entry.header.epoch
}

#[test]
fn an_owner_says_so_at_once_and_again_but_never_ahead_of_its_commits() {
    let options = RunOptions {
        lease: Duration::from_millis(3),
        commit_interval: Duration::from_millis(1),
        ..RunOptions::default()
    };
    let mut history = History::default();
    history.epoch = Epoch(7);
    let me = InstanceName(Arc::from("me"));
    let identity = Identity::new(me, &history, &options).expect("random numbers");
    let inbox = Arc::new(Inbox::default());
    // Whoever sent a second one before the first is committed would have to wait here.
    let (to_encode, sent) = sync_channel(1);
    let keeper = LeaseKeeper::start(identity, &to_encode, &inbox).expect("a thread");
    for epoch in [8, 9] {
        let message = sent.recv_timeout(PATIENCE).expect("it says so");
        assert_eq!(epoch_of(&message), Epoch(epoch));
        assert!(sent.recv_timeout(Duration::from_millis(20)).is_err(), "it is not committed yet");
        inbox.set_committed(Epoch(epoch));
    }
    let message = sent.recv_timeout(PATIENCE).expect("it says so");
    assert_eq!(epoch_of(&message), Epoch(10));
    let identity = keeper.release(&inbox).expect("nothing went wrong");
    assert_eq!(identity.epoch, Epoch(11), "the next one is for who goes on");
}
