//! The instance API, a file a verb.

pub mod apply;
pub mod backfill;
pub mod backfill_request;
pub mod callback_secrets;
pub mod change;
pub mod create;
pub mod delete;
pub mod enabled;
pub mod find;
pub mod list;
pub mod members;
pub mod read;
pub mod request;
pub mod token;
pub mod unsettled;
pub mod view;
pub mod warnings;
pub mod webhook_view;
