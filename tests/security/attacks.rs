//! Hostile projects: each is refused by name, soon, in little memory, with a harmless text.
//!
//! The corpus is text: `attacks/*.txt`. A line `=== CLAIM: CODES` begins an attack and says which
//! errors `engine check` must give; what follows up to the next such line is the attack itself: a
//! root file in `yaml.txt`, a model's query in `sql.txt` and `jinja.txt`. `⟨TEXT×COUNT⟩` stands for
//! so many copies of a text, `№` in it for the copy's number and `⏎` for the end of a line. What
//! needs links or odd files is written here.

use std::collections::BTreeSet;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::command::{Folder, Output, finished};

/// What a check may take: more than ten times what it takes on a slow machine.
const SECONDS_MAX: u32 = 60;

/// Address space, so that running out of it is seen here and not by the whole machine.
const KIBIBYTES_MAX: u32 = 4 << 20;

/// A check says at most so much, whatever the project.
const SAID_BYTES_MAX: usize = 1 << 20;

/// One attack of a corpus.
struct Attack {
    claim: String,
    codes: BTreeSet<String>,
    body: String,
}

fn corpus(name: &str) -> Vec<Attack> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/security/attacks");
    let text = std::fs::read_to_string(folder.join(name)).expect("the corpus is there");
    let mut attacks: Vec<Attack> = Vec::new();
    for line in text.lines() {
        if let Some(title) = line.strip_prefix("=== ") {
            let (claim, codes) = title.rsplit_once(": ").expect("a claim and its codes");
            let codes = codes.split_whitespace().map(str::to_owned).collect();
            attacks.push(Attack { claim: claim.to_owned(), codes, body: String::new() });
        } else if let Some(attack) = attacks.last_mut() {
            attack.body.push_str(&unrolled(line));
            attack.body.push('\n');
        }
    }
    attacks
}

/// A line with its `⟨TEXT×COUNT⟩` written out.
fn unrolled(line: &str) -> String {
    let mut whole = String::new();
    let mut rest = line;
    while let Some((before, after)) = rest.split_once('⟨') {
        let (repeated, after) = after.split_once('⟩').expect("a closing ⟩");
        let (text, count) = repeated.rsplit_once('×').expect("a count");
        whole.push_str(before);
        for number in 0..count.parse::<usize>().expect("a number") {
            whole.push_str(&text.replace('№', &number.to_string()).replace('⏎', "\n"));
        }
        rest = after;
    }
    whole + rest
}

/// `engine ARGUMENTS` with a limit on time and memory.
fn limited(folder: &Folder, arguments: &[&str]) -> Output {
    let engine = folder.command(arguments);
    let mut command = Command::new("sh");
    command.args([
        "-c",
        &format!("ulimit -v {KIBIBYTES_MAX}; exec timeout {SECONDS_MAX} \"$@\""),
        "sh",
    ]);
    command.arg(engine.get_program()).args(engine.get_args()).current_dir(folder.path());
    finished(&command.stdin(Stdio::null()).output().expect("the binary runs"))
}

/// What is wrong with how a project is refused; nothing if all is well.
fn check(claim: &str, folder: &Folder, codes: &BTreeSet<String>) -> Option<String> {
    let mut wrong = Vec::new();
    let json = limited(folder, &["check", "--diagnostics", "json"]);
    let found: BTreeSet<String> = json
        .err
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|value| value["level"] == "error")
        .filter_map(|value| Some(value["code"].as_str()?.to_owned()))
        .collect();
    if found != *codes {
        wrong.push(format!("expected {codes:?}, got {found:?}"));
    }
    // What a check refuses, a run refuses with the same carets.
    for output in [json, limited(folder, &["run", "--once"])] {
        let said = output.out.len() + output.err.len();
        if output.code != 2 {
            wrong.push(format!("exit code {}", output.code));
        }
        if said > SAID_BYTES_MAX {
            wrong.push(format!("{said} bytes of output"));
        }
        let is_harmful = |c: char| c.is_control() && !matches!(c, '\n' | '\t');
        for text in [&output.out, &output.err] {
            if text.contains(is_harmful) || text.contains("panicked") {
                wrong.push("harmful text".to_owned());
            }
        }
        if !wrong.is_empty() {
            let start: String = output.err.chars().take(2_000).collect();
            wrong.push(start);
            return Some(format!("{claim}: {}", wrong.join("\n")));
        }
    }
    None
}

#[track_caller]
fn check_corpus(name: &str, project: impl Fn(&Folder, &str)) {
    let attacks = corpus(name);
    assert!(attacks.len() > 5, "only {} attacks in {name}", attacks.len());
    let mut wrong = Vec::new();
    for attack in attacks {
        let folder = Folder::new();
        project(&folder, &attack.body);
        wrong.extend(check(&attack.claim, &folder, &attack.codes));
    }
    assert!(wrong.is_empty(), "{} attacks in {name}:\n{}", wrong.len(), wrong.join("\n\n"));
}

/// A model with the query `sql`, and a source for it.
fn write_model(folder: &Folder, sql: &str) {
    folder.write(
        "sources/s.yml",
        "sources:\n  - name: s\n    topic: s\n    columns: [{name: k}, {name: n, type: BIGINT}, {name: at}]\n",
    );
    let sql = sql.trim_end().replace('\n', "\n      ");
    folder.write("models/m.yml", format!("models:\n  - name: m\n    sql: |\n      {sql}\n"));
}

#[test]
fn hostile_yaml_is_refused() {
    check_corpus("yaml.txt", |folder, body| {
        folder.write("stream_project.yml", body);
    });
}

#[test]
fn hostile_templates_are_refused() {
    check_corpus("jinja.txt", |folder, body| {
        folder.write("outside.txt", "out of reach");
        write_model(folder, body);
    });
}

#[test]
fn hostile_queries_are_refused() {
    check_corpus("sql.txt", write_model);
}

#[test]
fn links_and_odd_files_are_refused() {
    let outside = Folder::new();
    outside.write("secret.yml", "models:\n  - name: out_of_reach\n");
    let code = BTreeSet::from(["E0007".to_owned()]);
    let good = || {
        let folder = Folder::new();
        write_model(&folder, "SELECT k FROM {{ source('s') }}");
        folder
    };
    type Attempt<'a> = (&'a str, &'a dyn Fn(&Path));
    let attempts: [Attempt<'_>; 7] = [
        ("a link to a file outside", &|models| {
            link(&outside.path().join("secret.yml"), &models.join("a.yml"));
        }),
        ("a link to a folder outside", &|models| link(outside.path(), &models.join("deep"))),
        ("a relative link upwards", &|models| {
            link(Path::new("../../../../../etc/passwd"), &models.join("a.yml"));
        }),
        ("a link to nothing", &|models| link(Path::new("nothing"), &models.join("a.yml"))),
        ("a link to itself", &|models| link(Path::new("a.yml"), &models.join("a.yml"))),
        ("a link to a device", &|models| link(Path::new("/dev/zero"), &models.join("a.yml"))),
        ("a file that is no text", &|models| {
            std::fs::write(models.join("a.yml"), [0xff, 0xfe, 0]).expect("a file");
        }),
    ];
    let mut wrong = Vec::new();
    for (claim, attempt) in attempts {
        let folder = good();
        attempt(&folder.path().join("models"));
        wrong.extend(check(claim, &folder, &code));
    }
    // A pipe that nobody writes to would be waited for without end.
    let folder = good();
    let pipe = folder.path().join("models/a.yml");
    assert!(Command::new("mkfifo").arg(pipe).status().expect("mkfifo runs").success());
    wrong.extend(check("a pipe", &folder, &code));
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

fn link(to: &Path, at: &Path) {
    symlink(to, at).expect("a link can be made");
}

#[test]
fn names_on_the_command_line_stay_inside_the_project() {
    let folder = Folder::new();
    write_model(&folder, "SELECT k FROM {{ source('s') }}");
    // Names that nothing else on this machine has.
    let outside = Folder::new();
    let absolute = outside.path().join("escaped").display().to_string();
    let base = outside.path().file_name().expect("a temporary folder has a name");
    let relative = format!("../{}/escaped", base.to_string_lossy());
    let deeper = format!("../{relative}");
    for arguments in [
        &["run", "--once", "--instance", deeper.as_str()][..],
        &["run", "--once", "--instance", absolute.as_str()],
        &["run", "--once", "--instance", ".."],
        &["run", "--standby", "--instance", deeper.as_str()],
        &["promote", "--instance", deeper.as_str()],
        &["promote"],
        &["replay", "--instance", deeper.as_str()],
        &["run", "--once", "--env", relative.as_str()],
        &["topic", "create", deeper.as_str()],
        &["topic", "create", "a/b"],
        &["topic", "create", ".."],
        &["topic", "create", "a\u{1b}[31mb"],
    ] {
        let output = limited(&folder, arguments);
        assert!(matches!(output.code, 1 | 2), "{arguments:?}: {} {}", output.code, output.err);
        assert!(!output.err.contains('\u{1b}'), "{arguments:?}: {:?}", output.err);
    }
    assert!(!outside.path().join("escaped").exists(), "something was written");
}

#[test]
fn records_cannot_move_a_terminals_cursor_in_messages() {
    let folder = Folder::new();
    write_model(&folder, "SELECT k FROM {{ source('s') }}");
    let bad = "{\"k\": \u{1b}]0;title\u{7}}\n";
    let mut child = folder
        .command(&["topic", "produce", "s"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the binary runs");
    let mut input = child.stdin.take().expect("piped above");
    std::io::Write::write_all(&mut input, bad.as_bytes()).expect("it reads");
    drop(input);
    assert!(child.wait().expect("it ends").success());
    let output = limited(&folder, &["run", "--once", "-vvv"]);
    assert_eq!(output.code, 0, "{}", output.err);
    for text in [&output.out, &output.err] {
        assert!(!text.contains(['\u{1b}', '\u{7}']), "{text:?}");
    }
}
