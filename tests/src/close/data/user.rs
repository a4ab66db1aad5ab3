//! Who works with an organization.

/// The user whose key it is.
#[derive(Debug, Clone)]
pub(crate) struct Owner {
    pub(crate) id: String,
    pub(crate) role: Role,
}

/// What the user may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Everything.
    Admin,
    /// See what is new, and change what is the user's own.
    User,
}
