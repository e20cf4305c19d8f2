use clap::CommandFactory;

use super::*;

#[test]
fn every_flag_has_a_variable_of_its_name() {
    fn walk(command: &clap::Command, missing: &mut Vec<String>, seen: &mut usize) {
        for flag in command.get_arguments() {
            let Some(long) = flag.get_long() else { continue };
            if long == "help" || long == "version" {
                continue;
            }
            *seen += 1;
            let wanted = format!("ENGINE_{}", long.replace('-', "_").to_uppercase());
            if flag.get_env() != Some(std::ffi::OsStr::new(&wanted)) {
                missing.push(format!("{} --{long}", command.get_name()));
            }
        }
        command.get_subcommands().for_each(|command| walk(command, missing, seen));
    }
    let (mut missing, mut seen) = (Vec::new(), 0);
    walk(&Arguments::command(), &mut missing, &mut seen);
    assert!(seen > 30, "the walk saw only {seen} flags");
    assert_eq!(missing, Vec::<String>::new());
}

#[test]
fn the_definition_is_sound() {
    Arguments::command().debug_assert();
}

#[test]
fn close_windows_needs_once() {
    assert!(Arguments::try_parse_from(["engine", "run", "--close-windows"]).is_err());
    assert!(Arguments::try_parse_from(["engine", "run", "--once", "--close-windows"]).is_ok());
}
