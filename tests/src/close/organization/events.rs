//! The event log of an organization, as tests see and fill it.

use serde_json::Value;

use super::Organization;
use crate::close::data::change::Change;
use crate::close::data::log::entry::LogEntry;

impl Organization {
    /// The event log in the order in which things happened, with what the API does not show yet or no longer.
    pub fn events(&self) -> Vec<Value> {
        self.with(|tenant| {
            let entries = tenant.log.entries.iter();
            entries
                .map(|entry| tenant.render_entry(entry).into())
                .collect()
        })
    }

    /// Logs something that is not simulated: `object_type`, `object_id`, `action`, and what else the entry is to show of
    /// `lead_id`, `changed_fields`, `data`, `previous_data` and `meta`. Webhooks are sent as about any other change.
    ///
    /// # Errors
    ///
    /// If one of the first three is missing, or something is given that Close sets itself.
    pub fn log(&self, entry: &Value, change: Change) -> anyhow::Result<()> {
        self.change(change, |tenant, moment| {
            let date = moment.logged_at.or(moment.date_updated);
            let entry = LogEntry::foreign(entry, date.unwrap_or(moment.now))?;
            tenant.log_entry(entry, moment);
            Ok(())
        })
    }

    /// Lets the event log show every change that it does not show yet.
    pub fn release_events(&self) {
        self.with(|tenant| tenant.log.release());
    }
}
