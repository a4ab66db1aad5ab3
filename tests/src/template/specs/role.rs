//! Roles, and what they allow.

/// An IAM role.
#[derive(Debug, Clone)]
pub struct RoleSpec {
    /// Its key in `Resources`.
    pub logical_id: String,
    /// The role's name.
    pub name: String,
    /// The role's ARN.
    pub arn: String,
    /// What it allows.
    pub statements: Vec<StatementSpec>,
}

impl RoleSpec {
    /// The first statement that allows an action on a resource.
    pub fn statement(&self, action: &str, resource: &str) -> Option<&StatementSpec> {
        let mut statements = self.statements.iter();
        statements.find(|statement| {
            let is = |names: &[String], name| names.iter().any(|one| one == name);
            is(&statement.actions, action) && is(&statement.resources, resource)
        })
    }
}

/// One statement of a role: each of its actions on each of its resources.
#[derive(Debug, Clone)]
pub struct StatementSpec {
    /// Its `Sid`.
    pub sid: String,
    /// The actions, such as `dynamodb:Query`.
    pub actions: Vec<String>,
    /// The ARNs of the resources.
    pub resources: Vec<String>,
}
