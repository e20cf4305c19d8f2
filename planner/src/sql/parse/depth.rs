//! How deep a text will nest, told from its tokens before anybody recurses over its tree.
//!
//! Each operator of a chain such as `a AND b AND c` is a level of the tree, and the parser's own
//! limit counts brackets only. It is an upper bound: what stands in one list element or clause is
//! taken for one chain.

use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Token, TokenWithSpan};

use super::{NESTING_MAX, SyntaxMistake, mistake};

/// Operators in one expression: far beyond what people write, and less than a thread's stack bears
/// in the walks over the tree, also those of the engine while it runs.
const OPERATORS_MAX: usize = 500;

/// What has been seen inside the brackets that are open.
#[derive(Default)]
struct Level {
    /// Operators since the last comma.
    now: usize,
    /// The most between two commas.
    most: usize,
}

impl Level {
    fn end(&mut self) {
        self.most = self.most.max(std::mem::take(&mut self.now));
    }
}

/// Refuses tokens that nest too deep.
pub(super) fn check(tokens: &[TokenWithSpan]) -> Result<(), SyntaxMistake> {
    let mut outer: Vec<Level> = Vec::new();
    let mut level = Level::default();
    for token in tokens {
        match step(&token.token) {
            Step::None => {}
            Step::Open => outer.push(std::mem::take(&mut level)),
            Step::Comma => level.end(),
            Step::Operator => level.now += 1,
            Step::Close => {
                // One bracket too many is the parser's to tell.
                if let Some(around) = outer.pop() {
                    level.end();
                    let inner = std::mem::replace(&mut level, around);
                    level.now += inner.most + 1;
                }
            }
        }
        if outer.len() >= NESTING_MAX {
            return Err(mistake(format!("nested deeper than {NESTING_MAX} levels"), token.span));
        }
        if level.now > OPERATORS_MAX {
            let message = format!("more than {OPERATORS_MAX} operators in one expression");
            let help = Some("Write a long OR over one column as `IN (...)`.".to_owned());
            return Err(SyntaxMistake { message, help, at: token.span });
        }
    }
    Ok(())
}

/// What a token does to the depth.
enum Step {
    None,
    Open,
    Close,
    Comma,
    Operator,
}

fn step(token: &Token) -> Step {
    match token {
        Token::LParen | Token::LBracket | Token::LBrace => Step::Open,
        Token::RParen | Token::RBracket | Token::RBrace => Step::Close,
        Token::Comma => Step::Comma,
        Token::Word(word) => match word.keyword {
            Keyword::CASE => Step::Open,
            Keyword::END => Step::Close,
            Keyword::AND
            | Keyword::BETWEEN
            | Keyword::EXCEPT
            | Keyword::IN
            | Keyword::INTERSECT
            | Keyword::IS
            | Keyword::JOIN
            | Keyword::LIKE
            | Keyword::NOT
            | Keyword::OR
            | Keyword::UNION => Step::Operator,
            _ => Step::None,
        },
        Token::EOF
        | Token::Number(..)
        | Token::Char(_)
        | Token::SingleQuotedString(_)
        | Token::DoubleQuotedString(_)
        | Token::Whitespace(_)
        | Token::Period
        | Token::SemiColon => Step::None,
        _ => Step::Operator,
    }
}
