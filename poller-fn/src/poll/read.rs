//! How a poll reads the next unit of a job: page by page, and a page in batches where it has many custom fields.

use shared::close::error::CloseError;
use shared::close::page::{Page, Request};
use shared::close::search::{Search, Searched};
use shared::event::change::object_href;

use crate::custom_fields::batches::Joined;
use crate::error::PollError;
use crate::outside::Outside;
use crate::poll::fetch::Backoff;
use crate::poll::job::Job;
use crate::poll::worker::Worker;
use crate::record::Record;
use crate::walk::unit::Unit;

/// What reading came to.
pub(crate) enum Read {
    /// A unit.
    Unit(Unit),
    /// The walk is done.
    End,
    /// A request has to wait.
    Wait,
}

impl<O: Outside> Worker<'_, O> {
    /// The next unit, unless there is none, or Close has to be waited for.
    pub(crate) async fn read(&mut self, job: &mut Job<'_>) -> Result<Read, PollError> {
        loop {
            // What was read of a page is of no use where what is asked for has changed, perhaps by another job.
            job.batches.keep_if(self.custom_fields.version());
            let Some(request) = self.next_request(job) else {
                return Ok(Read::End);
            };
            self.check_time()?;
            let page = match self.close.read(&request, &mut job.backoff).await {
                Ok(None) => return Ok(Read::Wait),
                Ok(Some(page)) => self.take(job, &request, page).await?,
                // A later batch may not go by the first one's cursor. It shows nothing, so all is read by itself.
                Err(PollError::Close(CloseError::ExpiredCursor)) if 0 < job.batches.next() => {
                    self.take(job, &request, Page::default()).await?
                }
                Err(error) => {
                    self.go_round(job, &request, error)?;
                    None
                }
            };
            if let Some(page) = page
                && let Some(unit) = job.walk.advance(page)?
            {
                return Ok(Read::Unit(unit));
            }
        }
    }

    /// What a job has to ask Close for next: the page that its walk needs, or a batch of that page's custom fields, and before
    /// that the schema of these.
    pub fn next_request(&self, job: &Job<'_>) -> Option<Request> {
        let request = job.walk.next_request()?;
        let Request::Search(search) = request else {
            return Some(request);
        };
        let of = search.object_type;
        if self
            .custom_fields
            .needs_schema(of, self.session.clock.now())
        {
            return Some(Request::CustomFields(of));
        }
        let batches = self.custom_fields.batches(of, job.targets[0].resource);
        let selectors = batches.into_iter().nth(job.batches.next());
        let selectors = selectors.unwrap_or_default();
        Some(Request::Search(Search {
            selectors,
            ..search
        }))
    }

    /// Takes what Close answered. Returns the page that the walk needs once it is whole.
    async fn take(
        &mut self,
        job: &mut Job<'_>,
        request: &Request,
        page: Page,
    ) -> Result<Option<Page<Record>>, PollError> {
        let of = match request {
            Request::Search(search) => search.object_type,
            Request::CustomFields(of) => {
                self.custom_fields
                    .learn(*of, &page, self.session.clock.now());
                return Ok(None);
            }
            Request::List(_) | Request::EventLog(_) => {
                job.has_read = true;
                return Ok(Some(page.map(Record::read)));
            }
        };
        job.has_read = true;
        let page = page.map(Record::read);
        if self.custom_fields.is_outdated_by(of, &page) {
            return Ok(None);
        }
        let count = self.custom_fields.batches(of, job.targets[0].resource);
        let Some(Joined { mut page, changed }) = job.batches.take(page, count.len()) else {
            return Ok(None);
        };
        self.custom_fields.worked(of);
        let end = self.close.end_of_lookups();
        // From the last on, for what is gone makes the others move up.
        for (place, id) in changed.into_iter().rev() {
            let path = object_href(of.as_str(), &id);
            match self.close.object(&path, end).await {
                Ok(Some(current)) => page.data[place] = Record::read(current),
                Ok(None) => drop(page.data.remove(place)),
                // What the first batch shows is true, and must not hold up the rest.
                Err(
                    error @ (PollError::OutOfTime
                    | PollError::Close(
                        CloseError::Rejected { .. }
                        | CloseError::Unauthorized { status: 403 }
                        | CloseError::Unavailable(_),
                    )),
                ) => {
                    tracing::warn!(instance.id = %self.session.instance.id, object.id = id, %error, "a record lacks custom fields");
                }
                Err(error) => return Err(error),
            }
        }
        Ok(Some(page))
    }

    /// Goes on another way where Close refuses what was asked for.
    fn go_round(
        &mut self,
        job: &mut Job<'_>,
        request: &Request,
        error: PollError,
    ) -> Result<(), PollError> {
        match (request, &error) {
            (_, PollError::Close(CloseError::ExpiredCursor)) => job.walk.restart(),
            (Request::CustomFields(of), _) if self.may_do_without(*of, &error) => {
                tracing::warn!(instance.id = %self.session.instance.id, %error, "the schema of custom fields was not read");
                job.backoff = Backoff::default();
                Ok(())
            }
            (
                Request::Search(search),
                PollError::Close(CloseError::Rejected { status: 400, .. }),
            ) if self
                .custom_fields
                .refused(search.object_type, &search.selectors) =>
            {
                tracing::warn!(instance.id = %self.session.instance.id, %error, "a search that asks for custom fields was refused");
                Ok(())
            }
            (_, PollError::Close(CloseError::Rejected { status: 400, .. })) => {
                Err(job.walk.refused(error))
            }
            _ => Err(error),
        }
    }

    /// Whether a poll goes on without a new schema: the last one will do, or Close never gives one to this key.
    fn may_do_without(&mut self, of: Searched, error: &PollError) -> bool {
        let may = match error {
            PollError::Close(
                CloseError::Rejected { .. } | CloseError::Unauthorized { status: 403 },
            ) => true,
            PollError::Close(CloseError::Unavailable(_)) | PollError::OutOfTime => {
                self.custom_fields.has_schema(of)
            }
            _ => false,
        };
        if may {
            self.custom_fields.do_without(of);
        }
        may
    }

    /// Nothing is begun that there may be no time to end, so the lease cannot run out under it either.
    fn check_time(&self) -> Result<(), PollError> {
        if self.session.clock.now() < self.session.stop_at {
            Ok(())
        } else {
            Err(PollError::OutOfTime)
        }
    }
}
