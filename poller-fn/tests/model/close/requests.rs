//! What is answered to a request, and what is wrong with its endpoint.

use jiff::Timestamp;
use shared::close::error::CloseError;
use shared::close::list::Listed;
use shared::close::page::{Page, Request};
use shared::close::search::Searched;

use super::render;
use super::state::Close;
use crate::history::{Of, Trouble};

impl Close {
    /// Answers a request.
    pub(crate) fn read(&mut self, request: &Request, now: Timestamp) -> Result<Page, CloseError> {
        match request {
            Request::Search(search) => self.search(search, now),
            Request::List(list) => self.list(list, now),
            Request::EventLog(page) => self.log_page(page, now),
            Request::CustomFields(_) => Ok(self.schema()),
        }
    }

    /// The custom fields of any type of objects.
    fn schema(&self) -> Page {
        Page {
            data: (0..self.quirks.custom_fields).map(render::field).collect(),
            ..Page::default()
        }
    }

    /// What is wrong with the endpoint of a request. Leads and contacts have one rate limit.
    pub(crate) fn trouble(&self, request: &Request) -> Option<Trouble> {
        self.trouble_of(of(request))
    }

    /// The same, of what is read of objects, or of the log.
    pub(crate) fn trouble_of(&self, of: Of) -> Option<Trouble> {
        let (broken, trouble) = self.quirks.broken?;
        let is_search = |of| matches!(of, Of::Contacts | Of::Leads);
        let is_limited = matches!(trouble, Trouble::Throttles(_));
        let is_it = of == broken || (is_limited && is_search(of) && is_search(broken));
        is_it.then_some(trouble)
    }
}

/// What a request is about.
pub(crate) fn of(request: &Request) -> Of {
    match request {
        Request::Search(search) => searched(search.object_type),
        Request::CustomFields(object_type) => searched(*object_type),
        Request::List(list) if list.objects == Listed::Opportunities => Of::Opportunities,
        Request::List(_) => Of::Tasks,
        Request::EventLog(_) => Of::Events,
    }
}

fn searched(object_type: Searched) -> Of {
    match object_type {
        Searched::Lead => Of::Leads,
        Searched::Contact => Of::Contacts,
    }
}
