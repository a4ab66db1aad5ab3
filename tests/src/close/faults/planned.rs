//! Faults that wait for their requests.

use super::fault::CloseFault;
use super::request_match::RequestMatch;
use crate::close::wire::request_log::LoggedRequest;

/// A fault that waits for its requests.
#[derive(Debug)]
pub(crate) struct Planned {
    matching: RequestMatch,
    fault: CloseFault,
}

impl Planned {
    /// Plans a fault.
    pub(crate) fn new(matching: RequestMatch, fault: CloseFault) -> Self {
        Self { matching, fault }
    }
}

/// The fault for a request, if one is planned; the first plan that has its turn wins.
pub(crate) fn take(plans: &mut Vec<Planned>, request: &LoggedRequest) -> Option<CloseFault> {
    let mut fault = None;
    for plan in plans.iter_mut() {
        if !plan.matching.describes(request) {
            continue;
        }
        if 0 < plan.matching.after {
            plan.matching.after -= 1;
        } else if fault.is_none() && 0 < plan.matching.times {
            plan.matching.times -= 1;
            fault = Some(plan.fault.clone());
        }
    }
    plans.retain(|plan| 0 < plan.matching.times);
    fault
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn request(path: &str) -> LoggedRequest {
        LoggedRequest {
            method: "GET".to_owned(),
            path: path.to_owned(),
            query: HashMap::new(),
            body: String::new(),
            key_id: None,
            status: None,
        }
    }

    #[test]
    fn a_fault_skips_and_repeats_as_told() {
        let matching = RequestMatch::to("/lead/*").after(1).times(2);
        let mut plans = vec![Planned::new(matching, CloseFault::status(500))];
        let paths = ["/lead/1/", "/me/", "/lead/2/", "/lead/", "/lead/3/"];
        let hit = paths.map(|path| take(&mut plans, &request(path)).is_some());
        assert_eq!(hit, [false, false, true, true, false]);
        assert!(plans.is_empty());
    }
}
