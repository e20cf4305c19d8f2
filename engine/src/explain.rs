//! The pages that explain the codes: the same files that the tests run, inside the binary.

macro_rules! pages {
    ($($code:literal)*) => {
        /// Every code that has a page, in order, with the page's text.
        pub const CODES: &[(&str, &str)] =
            &[$(($code, include_str!(concat!("../../tests/diagnostics/", $code, ".md")))),*];
    };
}

pages! {
    "E0001" "E0002" "E0003" "E0004" "E0005" "E0006" "E0007" "E0008" "E0009" "E0010" "E0011" "E0012"
    "E0013" "E0101" "E0102" "E0103" "E0104" "E0105" "E0106" "E0108" "E0109" "E0110" "E0111" "E0112"
    "E0113" "E0114" "E0201" "E0202" "E0203" "E0204" "E0205" "E0206" "E0300" "E0301" "E0302" "E0303"
    "E0304" "E0305" "E0306" "E0307" "E0308" "E0309" "E0310" "E0311" "E0312" "E0399" "E0401" "E0402" "E0403"
    "E0404" "E0405" "E0406" "E0407" "E0408" "E0409" "E0410" "E0501" "E0502" "E0503" "E0504" "E0505"
    "E0506" "E0601" "E0701" "E0702" "E0703" "E0704" "E0901" "N0014" "N0201" "N0202" "N0203" "N0709" "W0013" "W0014"
    "W0107" "W0115" "W0204" "W0207" "W0208" "W0209" "W0602" "W0603" "W0705" "W0706" "W0707" "W0708"
}

/// The page of a code, in Markdown. Upper and lower case are the same.
pub fn page(code: &str) -> Option<&'static str> {
    let found = CODES.iter().find(|(known, _)| known.eq_ignore_ascii_case(code))?;
    Some(found.1)
}

/// Codes that are close to one without a page: of the same band.
pub(crate) fn near(code: &str) -> Vec<&'static str> {
    catalog::diagnostic::closest(code, CODES.iter().map(|(known, _)| *known))
        .iter()
        .filter_map(|near| CODES.iter().find(|(known, _)| known == near).map(|(known, _)| *known))
        .collect()
}

/// Whether the text has the form of a code.
pub(crate) fn is_code(text: &str) -> bool {
    let mut letters = text.chars();
    let is_first = matches!(letters.next(), Some('E' | 'W' | 'N' | 'e' | 'w' | 'n'));
    is_first && text.len() == 5 && letters.all(|c| c.is_ascii_digit())
}
