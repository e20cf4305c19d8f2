use super::*;

#[test]
fn a_limit_of_bytes_is_taken_as_it_is_and_a_share_is_one_of_all() {
    assert_eq!(limit(Some(MemoryLimit::Bytes(7))), Some(7));
    let total = total().expect("this system tells");
    assert_eq!(limit(Some(MemoryLimit::Percent(50))), Some(total / 100 * 50));
    assert_eq!(limit(None), Some(total / 100 * 70));
}

#[test]
fn the_groups_around_ours_limit_us_too() {
    let files = |groups: &str| -> Vec<String> {
        limit_files(groups).map(|file| file.display().to_string()).collect()
    };
    let unified = [
        "/sys/fs/cgroup/system.slice/engine.service/memory.max",
        "/sys/fs/cgroup/system.slice/memory.max",
        "/sys/fs/cgroup/memory.max",
    ];
    assert_eq!(files("0::/system.slice/engine.service\n"), unified);
    let legacy = [
        "/sys/fs/cgroup/memory/pod/memory.limit_in_bytes",
        "/sys/fs/cgroup/memory/memory.limit_in_bytes",
    ];
    assert_eq!(files("5:cpu:/x\n4:memory:/pod\n"), legacy);
}

#[test]
fn without_a_limit_a_group_says_max() {
    assert_eq!((bytes("max\n"), bytes("1024\n")), (None, Some(1_024)));
    assert_eq!(machine_bytes("MemTotal:       16 kB\nMemFree: 1 kB\n"), Some(16_384));
}
