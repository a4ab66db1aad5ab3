//! Objects: their kinds, versions and fields, and how the API shows them.

pub(crate) mod activity_type;
pub(crate) mod custom_field;
pub(crate) mod fields;
pub(crate) mod record;
pub(crate) mod shape;
pub(crate) mod task_type;
pub(crate) mod valuation;
