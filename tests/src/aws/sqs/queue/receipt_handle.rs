//! Receipt handles: opaque to a receiver, as SQS's are.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::rejection::Rejection;
use super::state::Receipt;

/// The handle of a receipt from the queue called `queue`.
pub(crate) fn write(queue: &str, receipt: Receipt) -> String {
    STANDARD.encode(format!("{queue} {} {}", receipt.arrival, receipt.receive))
}

/// The receipt of a handle; one that this queue has never given out is refused.
pub(crate) fn read(queue: &str, handle: &str) -> Result<Receipt, Rejection> {
    parse(queue, handle).ok_or_else(|| Rejection::invalid_handle(handle))
}

fn parse(queue: &str, handle: &str) -> Option<Receipt> {
    let text = String::from_utf8(STANDARD.decode(handle).ok()?).ok()?;
    let mut parts = text.strip_prefix(queue)?.strip_prefix(' ')?.split(' ');
    let receipt = Receipt {
        arrival: parts.next()?.parse().ok()?,
        receive: parts.next()?.parse().ok()?,
    };
    parts.next().is_none().then_some(receipt)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::sqs::queue::rejection::RejectionKind;

    #[test]
    fn a_handle_is_of_one_queue() {
        let receipt = Receipt {
            arrival: 7,
            receive: 2,
        };
        let handle = write("letters", receipt);
        assert_eq!(read("letters", &handle), Ok(receipt));
        for (queue, handle) in [
            ("others", handle.as_str()),
            ("letters", "x"),
            ("letters", ""),
        ] {
            let refused = read(queue, handle).map_err(|rejection| rejection.kind);
            assert_eq!(
                refused,
                Err(RejectionKind::ReceiptHandleIsInvalid),
                "{handle}"
            );
        }
    }
}
