//! `engine broker`: the project's embedded broker alone, in the foreground.

use std::process::ExitCode;
use std::sync::mpsc::sync_channel;

use broker::Port;

use super::arguments::BrokerArguments;
use super::{Context, Scope};
use crate::session::{broker_config, open_broker};
use crate::{Error, Stay, signals};

pub(crate) fn run(context: &Context, arguments: &BrokerArguments) -> Result<ExitCode, Error> {
    let engine = context.open(Scope::default())?;
    let project = engine.check().declared()?;
    if project.runtime.kafka.is_some() {
        context
            .screen
            .warn("the project names a Kafka of its own: its commands do not use this broker");
    }
    let mut config = broker_config(engine.folder(), &project.runtime.broker, Stay::Lasting)?;
    if let Some(listen) = arguments.listen {
        config.host = listen.ip();
        config.port = if listen.port() == 0 { Port::Any } else { Port::Exactly(listen.port()) };
    }
    let (stop, stopped) = sync_channel(1);
    signals::watch(move || {
        // Nobody listens only if the command is at its end already.
        let _told = stop.send(());
    })?;
    let broker = open_broker(&config)?;
    context.screen.result(&format!("listening on {}\n", broker.address()))?;
    if !config.host.is_loopback() {
        context.screen.warn("everybody who reaches this address can read and write all topics");
    }
    // An error means that the signal thread is gone, which ends the broker as well.
    let _stopped = stopped.recv();
    broker.close();
    Ok(ExitCode::SUCCESS)
}
