//! A message as its sender makes it, and what SQS refuses about it.

use std::collections::BTreeMap;

use super::rejection::Rejection;
use crate::aws::sqs::lineage;
use crate::plumbing::ids::uuid;

/// At most so many attributes of a sender's own.
const MAXIMUM_ATTRIBUTES: usize = 10;
/// Of a name, and of a type.
const MAXIMUM_NAME: usize = 256;
/// Of the name of a group. Source: docs.aws.amazon.com, SQS, "`SendMessage`", `MessageGroupId`.
const MAXIMUM_GROUP: usize = 128;
/// Of a number.
const MAXIMUM_DIGITS: usize = 38;

/// One message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// What SQS calls it.
    pub id: String,
    /// The body.
    pub body: String,
    /// What its sender says beside the body.
    pub attributes: BTreeMap<String, Attribute>,
    /// The X-Ray trace header, if its sender brought one.
    pub trace: Option<String>,
    /// `MessageGroupId`, by which a queue is fair, if its sender gave one.
    pub group: Option<String>,
}

/// One attribute of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribute {
    /// `String`, `Number` or `Binary`, perhaps with a type of the sender's own behind a point.
    pub data_type: String,
    /// The value.
    pub value: AttributeValue,
}

/// The value of an attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AttributeValue {
    /// Of strings and numbers.
    Text(String),
    /// Of binary attributes.
    Binary(Vec<u8>),
}

impl Message {
    /// A message without attributes.
    pub fn new(body: impl Into<String>) -> Self {
        Self {
            id: uuid(),
            body: body.into(),
            attributes: BTreeMap::new(),
            trace: None,
            group: None,
        }
    }

    /// The same in a group.
    #[must_use]
    pub fn in_group(mut self, group: impl Into<String>) -> Self {
        self.group = Some(group.into());
        self
    }

    /// The same with another attribute, or with another value for it.
    #[must_use]
    pub fn with(mut self, name: &str, attribute: Attribute) -> Self {
        self.attributes.insert(name.to_owned(), attribute);
        self
    }

    /// The text of an attribute.
    pub fn text(&self, name: &str) -> Option<&str> {
        match &self.attributes.get(name)?.value {
            AttributeValue::Text(text) => Some(text),
            AttributeValue::Binary(_) => None,
        }
    }

    /// How many invocations of functions by mappings led to it, one after the other, by its trace header. Above 16, Lambda
    /// takes it for part of a loop and stops.
    pub fn hops(&self) -> u32 {
        lineage::hops(self.trace.as_deref())
    }

    /// The size as SQS counts it: the body, and each attribute's name, type and value.
    pub fn bytes(&self) -> usize {
        let attributes = self.attributes.iter();
        let attributes = attributes.map(|(name, attribute)| {
            name.len() + attribute.data_type.len() + attribute.bytes().len()
        });
        self.body.len() + attributes.sum::<usize>()
    }

    /// What SQS returns for the sender to compare.
    pub(crate) fn md5_of_body(&self) -> String {
        format!("{:x}", md5::compute(&self.body))
    }

    pub(crate) fn check(&self, maximum_bytes: usize) -> Result<(), Rejection> {
        if self.body.is_empty() {
            return Err(Rejection::missing("MessageBody"));
        }
        if maximum_bytes < self.bytes() {
            return Err(Rejection::invalid(format!(
                "One or more parameters are invalid. Reason: Message must be shorter than {maximum_bytes} bytes."
            )));
        }
        if !self.body.chars().all(is_allowed) {
            return Err(Rejection::invalid_contents());
        }
        if MAXIMUM_ATTRIBUTES < self.attributes.len() {
            let count = self.attributes.len();
            return Err(Rejection::invalid(format!(
                "Number of message attributes [{count}] exceeds the allowed maximum [{MAXIMUM_ATTRIBUTES}]."
            )));
        }
        self.attributes.iter().try_for_each(check_attribute)?;
        self.group.as_deref().map_or(Ok(()), check_group)
    }
}

impl Attribute {
    /// A text.
    pub fn string(text: impl Into<String>) -> Self {
        Self::of_text("String", text.into())
    }

    /// A number.
    pub fn number(number: impl std::fmt::Display) -> Self {
        Self::of_text("Number", number.to_string())
    }

    fn of_text(data_type: &str, text: String) -> Self {
        Self {
            data_type: data_type.to_owned(),
            value: AttributeValue::Text(text),
        }
    }

    fn bytes(&self) -> &[u8] {
        match &self.value {
            AttributeValue::Text(text) => text.as_bytes(),
            AttributeValue::Binary(bytes) => bytes,
        }
    }
}

/// What SQS returns for the sender of these attributes to compare: over length and bytes of each name, type and value, in
/// the order of the names.
pub(crate) fn md5_of_attributes(attributes: &BTreeMap<String, Attribute>) -> Option<String> {
    let mut bytes = Vec::new();
    for (name, attribute) in attributes {
        push(&mut bytes, name.as_bytes());
        push(&mut bytes, attribute.data_type.as_bytes());
        bytes.push(match attribute.value {
            AttributeValue::Text(_) => 1,
            AttributeValue::Binary(_) => 2,
        });
        push(&mut bytes, attribute.bytes());
    }
    (!bytes.is_empty()).then(|| format!("{:x}", md5::compute(bytes)))
}

fn push(bytes: &mut Vec<u8>, part: &[u8]) {
    let length = u32::try_from(part.len()).unwrap_or(u32::MAX);
    bytes.extend(length.to_be_bytes());
    bytes.extend(part);
}

/// What XML 1.0 takes, from the time when SQS spoke it.
fn is_allowed(character: char) -> bool {
    let is_control = character < ' ' && !matches!(character, '\t' | '\n' | '\r');
    !is_control && !matches!(character, '\u{fffe}' | '\u{ffff}')
}

fn check_attribute((name, attribute): (&String, &Attribute)) -> Result<(), Rejection> {
    check_name(name)?;
    let (kind, _) = attribute
        .data_type
        .split_once('.')
        .unwrap_or((&attribute.data_type, ""));
    let empty = attribute.bytes().is_empty();
    match (kind, &attribute.value) {
        _ if empty => Err(Rejection::invalid(format!(
            "Message (user) attribute '{name}' must contain a non-empty value of type '{kind}'."
        ))),
        ("String", AttributeValue::Text(text)) if text.chars().all(is_allowed) => Ok(()),
        ("String", AttributeValue::Text(_)) => Err(Rejection::invalid_contents()),
        ("Number", AttributeValue::Text(text)) if is_number(text) => Ok(()),
        ("Number", AttributeValue::Text(_)) => Err(Rejection::invalid(format!(
            "Can't cast the value of message (user) attribute '{name}' to a number."
        ))),
        ("Binary", AttributeValue::Binary(_)) => Ok(()),
        _ => Err(Rejection::invalid(format!(
            "The message (user) attribute '{name}' has an invalid message (user) attribute type, the set of supported type prefixes is Binary, Number, and String."
        ))),
    }
}

fn check_name(name: &str) -> Result<(), Rejection> {
    let is_known = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
    let lower = name.to_lowercase();
    let is_reserved = lower.starts_with("aws.") || lower.starts_with("amazon.");
    let has_loose_point = name.starts_with('.') || name.ends_with('.') || name.contains("..");
    let fits = (1..=MAXIMUM_NAME).contains(&name.len()) && name.bytes().all(is_known);
    if fits && !is_reserved && !has_loose_point {
        return Ok(());
    }
    Err(Rejection::invalid(format!(
        "Invalid message (user) attribute name '{name}'."
    )))
}

fn check_group(group: &str) -> Result<(), Rejection> {
    let is_known = |byte: u8| byte.is_ascii_graphic();
    if (1..=MAXIMUM_GROUP).contains(&group.len()) && group.bytes().all(is_known) {
        return Ok(());
    }
    let reason = "MessageGroupId can only include alphanumeric and punctuation characters. 1 to 128 in length";
    Err(Rejection::invalid_value("MessageGroupId", group, reason))
}

fn is_number(text: &str) -> bool {
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    let is_sign = |byte: u8| byte.is_ascii_digit() || b"+-.eE".contains(&byte);
    let value = text.parse::<f64>().is_ok_and(f64::is_finite);
    value && text.bytes().all(is_sign) && digits <= MAXIMUM_DIGITS
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::sqs::queue::rejection::RejectionKind;

    const LIMIT: usize = 1024 * 1024;

    fn refused(message: &Message) -> Option<RejectionKind> {
        message.check(LIMIT).err().map(|rejection| rejection.kind)
    }

    #[test]
    fn what_sqs_takes_is_taken() {
        let message = Message::new("\u{e9}\t\r\n\u{10ffff}")
            .with("attempt", Attribute::number(-1.5e3))
            .with("not-before.x_1", Attribute::string("text"));
        assert_eq!(refused(&message), None);
        assert_eq!(refused(&Message::new("x".repeat(LIMIT))), None);
        for group in ["A-9!~".to_owned(), "x".repeat(128)] {
            assert_eq!(refused(&Message::new("x").in_group(group)), None);
        }
    }

    #[test]
    fn what_sqs_refuses_is_refused() {
        let invalid = Some(RejectionKind::InvalidParameterValue);
        let with = |name: &str, attribute| Message::new("x").with(name, attribute);
        let binary = Attribute {
            data_type: "String".to_owned(),
            value: AttributeValue::Binary(vec![1]),
        };
        let many = (0..11).fold(Message::new("x"), |message, number| {
            message.with(&format!("a{number}"), Attribute::number(number))
        });
        for (message, expect) in [
            (Message::new(""), Some(RejectionKind::MissingParameter)),
            (Message::new("x".repeat(LIMIT + 1)), invalid),
            (
                Message::new("x".repeat(LIMIT - 2)).with("a", Attribute::string("b")),
                invalid,
            ),
            (
                Message::new("\u{1}"),
                Some(RejectionKind::InvalidMessageContents),
            ),
            (
                Message::new("\u{ffff}"),
                Some(RejectionKind::InvalidMessageContents),
            ),
            (with("AWS.x", Attribute::string("a")), invalid),
            (with("a..b", Attribute::string("a")), invalid),
            (with("a b", Attribute::string("a")), invalid),
            (with("", Attribute::string("a")), invalid),
            (with("a", Attribute::string("")), invalid),
            (with("a", Attribute::number("many")), invalid),
            (with("a", Attribute::number("1".repeat(39))), invalid),
            (with("a", binary), invalid),
            (many, invalid),
            (Message::new("x").in_group(""), invalid),
            (Message::new("x").in_group("a b"), invalid),
            (Message::new("x").in_group("\u{e9}"), invalid),
            (Message::new("x").in_group("x".repeat(129)), invalid),
        ] {
            assert_eq!(refused(&message), expect, "{:.60}", format!("{message:?}"));
        }
    }

    #[test]
    fn the_checksums_are_those_of_the_sdks() {
        let message = Message::new("This is a test message");
        assert_eq!(message.md5_of_body(), "fafb00f5732ab283681e124bf8747ed1");
        assert_eq!(md5_of_attributes(&message.attributes), None);
        let message = message.with("timestamp", Attribute::number(1_493_147_359_900_i64));
        let checksum = md5_of_attributes(&message.attributes);
        assert_eq!(
            checksum.as_deref(),
            Some("235c5c510d26fb653d073faed50ae77c")
        );
    }
}
