use super::*;
use crate::yaml::{self, Data};

struct Rendered {
    files: Files,
    result: Result<Sql, Vec<Diagnostic>>,
}

/// Renders the scalar under `sql:` of `yaml`, with one macro file and the variable `limit`.
fn render(yaml_text: &str) -> Rendered {
    let macros = "{% macro cents(x) %}({{ x }} / 100){% endmacro %}\n{% macro bad() %}{{ nope }}{% endmacro %}";
    let mut files = Files::default();
    let file = files.add("models/m.yml", yaml_text);
    let macro_file = files.add("macros/m.sql", macros);
    let mut mistakes = Vec::new();
    let root = yaml::parse(file, yaml_text, &mut mistakes).expect("readable");
    let Data::Mapping(entries) = root.data else { panic!("not a mapping") };
    let node = &entries.last().expect("has sql").value;
    let Data::Scalar(scalar) = &node.data else { panic!("not a scalar") };
    let mut context = TemplateContext::default();
    context.vars.insert("limit".to_owned(), "10".to_owned());
    context.vars.insert("table".to_owned(), "orders".to_owned());
    let templates = Templates::new(context, &[(macro_file, macros)], &mut mistakes);
    let this = BTreeMap::from([("name", "m".to_owned())]);
    let sql = templates.render((node, scalar), &files, &this, &mut mistakes);
    Rendered { files, result: sql.ok_or(mistakes) }
}

/// `sql` renders as `expected`, and `part` of that comes from `origin` in the YAML.
fn check(yaml_text: &str, expected: &str, parts: &[(&str, &str)]) {
    let Rendered { files, result } = render(yaml_text);
    let sql = result.expect("renders");
    assert_eq!(sql.text, expected);
    for (part, origin) in parts {
        let start = sql.text.find(part).expect("part is rendered");
        let place = sql.place(start..start + part.len());
        assert_eq!(files.quote(&place), *origin, "for `{part}` of {yaml_text:?}");
    }
}

/// The first mistake, as `path:line:column code message`.
fn check_mistake(yaml_text: &str, expected: &str) {
    let Rendered { files, result } = render(yaml_text);
    let mistakes = result.expect_err("does not render");
    let mistake = mistakes.first().expect("is reported");
    let place = mistake.primary_place().expect("has a place");
    let (line, column) = files.line_and_column(place);
    let path = files.path(place.file);
    assert_eq!(format!("{path}:{line}:{column} {} {}", mistake.code, mistake.message), expected);
}

#[test]
fn text_without_code_maps_to_itself() {
    check(
        "sql: |\n  SELECT é,\n    b\n  FROM t\n",
        "SELECT é,\n  b\nFROM t\n",
        &[("é", "é"), ("b", "b"), ("b\nFROM", "b\n  FROM")],
    );
}

#[test]
fn expressions_map_to_their_braces_and_text_around_them_to_itself() {
    check(
        "sql: |\n  SELECT a, é FROM {{ source(\"x\") }} s\n  JOIN {{ ref('y') }} ON bc = {{ var('limit') }}\n",
        "SELECT a, é FROM `source.x` s\nJOIN `model.y` ON bc = 10\n",
        &[
            ("`source.x`", "{{ source(\"x\") }}"),
            ("source", "{{ source(\"x\") }}"),
            (" s\n", " s\n"),
            ("bc", "bc"),
            ("10", "{{ var('limit') }}"),
            ("`model.y` ON bc", "{{ ref('y') }} ON bc"),
        ],
    );
}

#[test]
fn whitespace_control_loops_and_branches_keep_the_map() {
    check(
        "sql: |\n  SELECT\n  {%- for c in ['a', 'b'] %}\n    f({{ c }}) AS {{ c }}_x,\n  {%- endfor %} {# note #}\n    {% if false %}no{% else %}yes{% endif %} zz\n",
        "SELECT\n  f(a) AS a_x,\n  f(b) AS b_x, \n  yes zz\n",
        &[("f(b", "f({{ c }}"), ("_x", "_x"), ("yes", "yes"), ("zz", "zz")],
    );
}

#[test]
fn macros_map_to_their_call() {
    check(
        "sql: \"SELECT {{ cents('price') }} zz\"\n",
        "SELECT (price / 100) zz",
        &[("price", "{{ cents('price') }}"), ("zz", "zz")],
    );
}

#[test]
fn raw_text_and_braces_in_strings_are_left_alone() {
    check(
        "sql: |\n  {% raw %}{{ x }}{% endraw %} {{ '}}' }} {{ {'a': {}}['a']|length }} zz\n",
        "{{ x }} }} 0 zz\n",
        &[("zz", "zz"), ("}} 0", "{{ '}}' }} {{ {'a': {}}['a']|length }}")],
    );
}

#[test]
fn a_filter_that_sees_the_marks_only_makes_the_map_coarse() {
    check(
        "sql: \"{% set x %}ab{% endset %}{{ x|length }} zz\"\n",
        "2 zz",
        &[("zz", "\"{% set x %}ab{% endset %}{{ x|length }} zz\"")],
    );
}

#[test]
fn references_are_found_with_their_names_places() {
    let yaml_text = "sql: |\n  {% set t = var('table') %}\n  {{ source('a') }} {{ ref(\"b\") }} {{ ref('b') }} {{ ref(t) }}\n";
    let Rendered { files, result } = render(yaml_text);
    let sql = result.expect("renders");
    let found: Vec<(ReferenceKind, &str, &str)> = sql
        .references
        .iter()
        .map(|reference| (reference.kind, reference.name.as_str(), files.quote(&reference.place)))
        .collect();
    assert_eq!(
        found,
        [
            (ReferenceKind::Source, "a", "a"),
            (ReferenceKind::Model, "b", "b"),
            (ReferenceKind::Model, "orders", "{{ ref(t) }}"),
        ]
    );
}

#[test]
fn mistakes_are_where_they_are_made() {
    check_mistake(
        "sql: |\n  SELECT a\n  FROM {{ ref('x' }}\n",
        "models/m.yml:3:19 E0201 the template cannot be read: unexpected `}`, expected `,`",
    );
    check_mistake(
        "sql: |\n  SELECT a\n  FROM {{ nope }}\n",
        "models/m.yml:3:11 E0202 the template cannot be rendered: `nope` is undefined",
    );
    check_mistake(
        "sql: SELECT {{ bad() }}\n",
        "macros/m.sql:2:21 E0202 the template cannot be rendered: `nope` is undefined",
    );
    check_mistake(
        "sql: SELECT {{ var('none') }}\n",
        "models/m.yml:1:16 E0202 the template cannot be rendered: there is no variable `none`",
    );
    check_mistake(
        "sql: SELECT {{ env_var('DB_PASSWORD') }}\n",
        "models/m.yml:1:16 E0202 the template cannot be rendered: `DB_PASSWORD` looks like a secret, which no query may hold",
    );
    check_mistake(
        "sql: \"{% for a in range(9999) %}{% for b in range(9999) %}x{% endfor %}{% endfor %}\"\n",
        "models/m.yml:1:6 E0203 the template is refused: it takes too many steps",
    );
    check_mistake(
        "sql: \"{{ 'x' * 100000000 }}\"\n",
        "models/m.yml:1:10 E0203 the template is refused: it takes too many steps",
    );
    check_mistake(
        "sql: \"{% include '/etc/passwd' %}\"\n",
        "models/m.yml:1:10 E0202 the template cannot be rendered: tried to include non-existing template '/etc/passwd'",
    );
}
