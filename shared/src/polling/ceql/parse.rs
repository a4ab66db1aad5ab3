//! From tokens to the condition.

use super::comparison::{A_FIELD, A_VALUE, Operand, comparison, field, operand, unexpected};
use super::lex::{Token, TokenKind, tokens};
use super::{CeqlError, Expr, Part, Value};

/// Deeper than anyone writes, and far from the end of a stack.
const MAX_DEPTH: usize = 64;

const AN_OPERATOR: &str = "=, !=, <, >, <=, >=, LIKE, IN or IS";

impl Expr {
    /// Reads a condition.
    ///
    /// # Errors
    /// The first fault, with its position.
    pub fn parse(text: &str) -> Result<Self, CeqlError> {
        let mut parser = Parser {
            tokens: tokens(text)?,
            index: 0,
        };
        let expr = parser.any_of(0)?;
        match parser.peek().kind {
            TokenKind::End => Ok(expr),
            _ => Err(unexpected("AND, OR or the end", parser.peek())),
        }
    }
}

struct Parser {
    tokens: Vec<Token>,
    index: usize,
}

impl Parser {
    fn peek(&self) -> &Token {
        // The end is never passed.
        &self.tokens[self.index.min(self.tokens.len() - 1)]
    }

    fn next(&mut self) -> Token {
        let token = self.peek().clone();
        self.index += 1;
        token
    }

    fn take(&mut self, kind: &TokenKind) -> bool {
        let is_next = self.peek().kind == *kind;
        self.index += usize::from(is_next);
        is_next
    }

    fn expect(&mut self, kind: &TokenKind, expected: &'static str) -> Result<(), CeqlError> {
        if self.take(kind) {
            Ok(())
        } else {
            Err(unexpected(expected, self.peek()))
        }
    }

    fn take_keyword(&mut self, keyword: &str) -> bool {
        let is_next =
            word(&self.peek().kind).is_some_and(|word| word.eq_ignore_ascii_case(keyword));
        self.index += usize::from(is_next);
        is_next
    }

    fn any_of(&mut self, depth: usize) -> Result<Expr, CeqlError> {
        let mut terms = vec![self.all_of(depth)?];
        while self.take_keyword("OR") {
            terms.push(self.all_of(depth)?);
        }
        Ok(Expr::any(terms))
    }

    fn all_of(&mut self, depth: usize) -> Result<Expr, CeqlError> {
        let mut terms = vec![self.term(depth)?];
        while self.take_keyword("AND") {
            terms.push(self.term(depth)?);
        }
        Ok(Expr::all(terms))
    }

    fn term(&mut self, depth: usize) -> Result<Expr, CeqlError> {
        let position = self.peek().position;
        if !self.take(&TokenKind::Open) {
            return self.condition();
        }
        if depth == MAX_DEPTH {
            let most = MAX_DEPTH;
            return Err(CeqlError::TooDeep { most, position });
        }
        let expr = self.any_of(depth + 1)?;
        self.expect(&TokenKind::Close, "AND, OR or `)`")?;
        Ok(expr)
    }

    fn condition(&mut self) -> Result<Expr, CeqlError> {
        let left = self.next();
        let left = (operand(&left, A_FIELD)?, &left);
        let Token { kind, position } = self.peek();
        if let (TokenKind::Operator(operator), position) = (kind.clone(), *position) {
            self.next();
            let right = self.next();
            let right = (operand(&right, A_VALUE)?, &right);
            return comparison(left, (operator, position), right);
        }
        let field = field(left.0, left.1)?;
        if self.take_keyword("LIKE") {
            self.like(field)
        } else if self.take_keyword("IN") {
            self.list(field)
        } else if self.take_keyword("IS") {
            self.null(field)
        } else {
            Err(unexpected(AN_OPERATOR, self.peek()))
        }
    }

    fn like(&mut self, field: String) -> Result<Expr, CeqlError> {
        let token = self.next();
        match operand(&token, "a text in single quotes")? {
            Operand::Quoted(pattern) => Ok(Expr::Like { field, pattern }),
            _ => Err(unexpected("a text in single quotes", &token)),
        }
    }

    fn list(&mut self, field: String) -> Result<Expr, CeqlError> {
        self.expect(&TokenKind::Open, "`(`")?;
        let mut values = Vec::new();
        loop {
            let token = self.next();
            values.push(match operand(&token, A_VALUE)? {
                Operand::Quoted(text) => Value::Text(text),
                Operand::Value(value) if !matches!(value, Value::Template(_)) => value,
                _ => return Err(unexpected(A_VALUE, &token)),
            });
            if !self.take(&TokenKind::Comma) {
                break;
            }
        }
        self.expect(&TokenKind::Close, "`,` or `)`")?;
        Ok(Expr::In { field, values })
    }

    fn null(&mut self, field: String) -> Result<Expr, CeqlError> {
        let is_not = self.take_keyword("NOT");
        if !self.take_keyword("NULL") {
            let expected = if is_not { "NULL" } else { "NULL or NOT NULL" };
            return Err(unexpected(expected, self.peek()));
        }
        Ok(if is_not {
            Expr::IsNotNull { field }
        } else {
            Expr::IsNull { field }
        })
    }
}

fn word(kind: &TokenKind) -> Option<&str> {
    match kind {
        TokenKind::Word(parts) => match &parts[..] {
            [Part::Text(text)] => Some(text),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::proptest;

    use super::super::Expr;

    #[track_caller]
    fn check(condition: &str, printed: &str) {
        let expr = Expr::parse(condition).unwrap_or_else(|error| panic!("{condition}: {error}"));
        assert_eq!(expr.to_string(), printed);
        assert_eq!(Expr::parse(printed), Ok(expr));
    }

    #[track_caller]
    fn message(condition: &str) -> String {
        Expr::parse(condition).unwrap_err().to_string()
    }

    #[test]
    fn reads_every_operator_with_and_without_spaces() {
        for operator in ["=", "!=", "<", "<=", ">", ">="] {
            check(&format!("a{operator}1"), &format!("a {operator} 1"));
            check(&format!(" a\t{operator}\n1 "), &format!("a {operator} 1"));
        }
        check("a like 'x%'", "a LIKE 'x%'");
        check("a In('x',2 , TRUE)", "a IN ('x', 2, true)");
        check("a IS NULL", "a IS NULL");
        check("a is Not null", "a IS NOT NULL");
    }

    #[test]
    fn reads_fields_in_every_spelling() {
        check("a.b_c-1.é=1", "a.b_c-1.é = 1");
        check(
            "`metaData.lastUpdateTime`>2015-01-06T09:31:38-07:00",
            "metaData.lastUpdateTime > '2015-01-06T09:31:38-07:00'",
        );
        check("'Modified Time' >= 'x'", "`Modified Time` >= 'x'");
        check("'it''s `odd`' IS NULL", "'it''s `odd`' IS NULL");
        check("`and`=1", "`and` = 1");
        check("'a'='b'", "a = 'b'");
    }

    #[test]
    fn reads_values_in_every_spelling() {
        check("a=''", "a = ''");
        check("a='O''Neil'", "a = 'O''Neil'");
        check("a=-1.5e3", "a = -1.5e3");
        check("a=2017-02-28", "a = '2017-02-28'");
        check("a='$5 {x}'", "a = '$5 {x}'");
        check(
            "a>'${gmtDate:yyyy-MM-dd'T'HH:mm:ss.SSSSSSXXX}'",
            "a > '${gmtDate:yyyy-MM-dd'T'HH:mm:ss.SSSSSSXXX}'",
        );
        check(
            "a>${dateTimeZone:{PST}:HH:mm'Z'} AND b=1",
            "a > '${dateTimeZone:{PST}:HH:mm'Z'}' AND b = 1",
        );
    }

    #[test]
    fn reads_the_mirrored_form() {
        check("1<a", "a > 1");
        check("'2017-02-28' >= `a`", "a <= '2017-02-28'");
        check("'x' = a", "a = 'x'");
        check("${date}<'Modified Time'", "`Modified Time` > '${date}'");
        check("'x ${date}' != a", "a != 'x ${date}'");
    }

    #[test]
    fn and_binds_closer_and_parentheses_closest() {
        check("a=1 or b=2 AND c=3", "a = 1 OR b = 2 AND c = 3");
        check("(a=1 OR b=2)AND((c=3))", "(a = 1 OR b = 2) AND c = 3");
        check("a=1 AND (b=2 AND c=3)", "a = 1 AND b = 2 AND c = 3");
    }

    #[test]
    fn says_what_it_expected_and_where() {
        insta::assert_snapshot!(message(""), @"expected a field at position 1, but found the end");
        insta::assert_snapshot!(message("name"), @"expected =, !=, <, >, <=, >=, LIKE, IN or IS at position 5, but found the end");
        insta::assert_snapshot!(message("name="), @"expected a value (a text or date in single quotes, a number, true or false) at position 6, but found the end");
        insta::assert_snapshot!(message("name=active"), @"expected a value (a text or date in single quotes, a number, true or false) at position 6, but found `active`");
        insta::assert_snapshot!(message("name=NULL"), @"expected a value (a text or date in single quotes, a number, true or false) at position 6, but found `NULL`");
        insta::assert_snapshot!(message("name==1"), @"expected a value (a text or date in single quotes, a number, true or false) at position 6, but found `=`");
        insta::assert_snapshot!(message("name<>1"), @"expected a value (a text or date in single quotes, a number, true or false) at position 6, but found `>`");
        insta::assert_snapshot!(message("name!1"), @"expected `!=` at position 5, but found `!`");
        insta::assert_snapshot!(message("é='x"), @"the single quote at position 3 is never closed");
        insta::assert_snapshot!(message("`name=1"), @"the backtick at position 1 is never closed");
        insta::assert_snapshot!(message("name>'${date'"), @"the placeholder at position 7 is never closed");
        insta::assert_snapshot!(message("name>'x${now}'"), @"expected ${gmtDate:…}, ${date}, ${date:…}, ${dateTimeZone:{zone}:…} or ${epoch} at position 8, but found `${now}`");
        insta::assert_snapshot!(message("(a=1"), @"expected AND, OR or `)` at position 5, but found the end");
        insta::assert_snapshot!(message("name LIKE 'Acc%')"), @"expected AND, OR or the end at position 17, but found `)`");
        insta::assert_snapshot!(message("name LIKE Acc%"), @"expected a text in single quotes at position 11, but found `Acc%`");
        insta::assert_snapshot!(message("a=1 b=2"), @"expected AND, OR or the end at position 5, but found `b`");
        insta::assert_snapshot!(message("a IN ()"), @"expected a value (a text or date in single quotes, a number, true or false) at position 7, but found `)`");
        insta::assert_snapshot!(message("a IN ('x' 'y')"), @"expected `,` or `)` at position 11, but found `'y'`");
        insta::assert_snapshot!(message("a IN 'x'"), @"expected `(` at position 6, but found `'x'`");
        insta::assert_snapshot!(message("a NOT IN ('x')"), @"expected =, !=, <, >, <=, >=, LIKE, IN or IS at position 3, but found `NOT`");
        insta::assert_snapshot!(message("NOT a=1"), @"expected a field at position 1, but found `NOT`");
        insta::assert_snapshot!(message("a IS 1"), @"expected NULL or NOT NULL at position 6, but found `1`");
        insta::assert_snapshot!(message("1=1"), @"expected a field at position 1, but found `1`");
        insta::assert_snapshot!(message("a=b"), @"expected a value (a text or date in single quotes, a number, true or false) at position 3, but found `b`");
        insta::assert_snapshot!(message("''=1"), @"expected a field at position 1, but found `''`");
        insta::assert_snapshot!(message("2nd=1"), @"expected a field at position 1, but found `2nd`");
        insta::assert_snapshot!(message("a>true"), @"expected = or != beside true or false at position 2, but found `>`");
        insta::assert_snapshot!(message("true<=a"), @"expected = or != beside true or false at position 5, but found `<=`");
        insta::assert_snapshot!(message("a..b=1"), @"expected a field at position 1, but found `a..b`");
        insta::assert_snapshot!(message("a=2017-02-30"), @"expected a value (a text or date in single quotes, a number, true or false) at position 3, but found `2017-02-30`");
        insta::assert_snapshot!(message("Name=’x’"), @"expected a value (a text or date in single quotes, a number, true or false) at position 6, but found `’x’`");
    }

    #[test]
    fn depth_and_length_are_no_danger() {
        let nested = |levels: usize| format!("{}a=1{}", "(".repeat(levels), ")".repeat(levels));
        assert!(Expr::parse(&nested(64)).is_ok());
        insta::assert_snapshot!(message(&nested(65)), @"expected at most 64 levels of parentheses, but found more at position 65");
        insta::assert_snapshot!(message(&nested(100_000)), @"expected at most 64 levels of parentheses, but found more at position 65");
        assert!(Expr::parse(&vec!["a=1"; 100_000].join(" AND ")).is_ok());
        assert!(message(&"x".repeat(100_000)).len() < 200);
        assert!(Expr::parse(&format!("{}=1", "é".repeat(256))).is_ok());
        assert!(
            message(&format!("{}=1", ".é".repeat(200).trim_start_matches('.'))).starts_with(
                "expected a field of at most 256 characters at position 1, but found `é.é"
            )
        );
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "\\PC{0,40}|[a-b'`${}()=<>!,%:0-9 ]{0,40}") {
            let _ = Expr::parse(&text);
        }
    }
}
