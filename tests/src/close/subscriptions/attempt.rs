//! How one POST to a receiver went.

/// One attempt to deliver a notification.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// The subscription; `None` for the format of 2014.
    pub subscription_id: Option<String>,
    /// The event; `None` for the format of 2014.
    pub event_id: Option<String>,
    /// 1 for the first attempt.
    pub number: u32,
    /// Where it was posted.
    pub url: String,
    /// The headers that were sent.
    pub headers: Vec<(&'static str, String)>,
    /// The body that was sent.
    pub body: String,
    /// The status of the answer, if there was one.
    pub status: Option<u16>,
    /// The body of the answer.
    pub answer: String,
    /// Why there was no answer.
    pub error: Option<String>,
}

impl Attempt {
    /// Whether the receiver accepted the event: any 2xx.
    pub fn accepted(&self) -> bool {
        self.status
            .is_some_and(|status| (200..300).contains(&status))
    }

    /// The failure as a subscription's history names it.
    pub(crate) fn error_name(&self) -> &'static str {
        match (self.status, self.error.as_deref()) {
            (Some(_), _) => "HTTPError",
            (None, Some(TIMEOUT)) => "Timeout",
            (None, _) => "ConnectionError",
        }
    }
}

/// The error of an attempt that took too long.
pub(crate) const TIMEOUT: &str = "timeout";
