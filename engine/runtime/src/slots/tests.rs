use super::*;

fn check(slots: &[u32]) {
    let mut values = Slots::default();
    values.grow(3 * CHUNK_SLOTS, &0_usize);
    let rows = (0..slots.len()).map(slot).collect();
    values.update(&Selection { rows, slots: slots.to_vec() }, |value, row| *value = row + 1);
    for (row, changed) in slots.iter().enumerate() {
        assert_eq!(*values.get(*changed), row + 1, "slot {changed}");
    }
    let sum: usize = values.iter().sum();
    assert_eq!(sum, slots.len() * (slots.len() + 1) / 2, "nothing else changed");
}

#[test]
fn a_selection_may_jump_between_chunks_in_both_directions() {
    let chunk = slot(CHUNK_SLOTS);
    check(&[0, 1, chunk, 2, 2 * chunk + 5, chunk - 1, 3 * chunk - 1, chunk + 1]);
}

#[test]
fn a_clone_keeps_its_values_when_the_original_goes_on() {
    let mut values = Slots::default();
    values.grow(CHUNK_SLOTS + 1, &7);
    let frozen = values.clone();
    *values.get_mut(slot(CHUNK_SLOTS)) = 8;
    values.push(9);
    assert_eq!((frozen.count(), *frozen.get(slot(CHUNK_SLOTS))), (CHUNK_SLOTS + 1, 7));
    assert_eq!(*values.get(slot(CHUNK_SLOTS)), 8);
    assert!(Arc::ptr_eq(&values.chunks[0], &frozen.chunks[0]), "an unwritten chunk is shared");
}
