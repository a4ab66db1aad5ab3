//! IAM: whose call it is, and whether a role of the template grants it.
//!
//! Each function signs with a key of its own, so its calls are judged by its role: what no statement allows is answered as AWS
//! does (`denial`), and what is allowed is counted by its statement ([`Grant`]). The account's own key, which tests and
//! tools sign with, may do everything. Signatures themselves are not verified.

pub(crate) mod credential;
pub(crate) mod denial;
pub(crate) mod done;
pub(crate) mod lambda;
pub(crate) mod need;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use anyhow::{Result, ensure};
use axum::http::HeaderMap;

use self::credential::{ACCOUNT_KEY, Credential, key_id};
use self::denial::Denial;
use self::done::Done;
use self::need::Need;
use crate::control::journal::Journal;
use crate::plumbing::ids::ACCOUNT;
use crate::plumbing::sync::lock;
use crate::template::Template;
use crate::template::specs::function::FunctionSpec;
use crate::template::specs::role::RoleSpec;

/// What a statement of a role allowed a function to do. All names are keys in the template.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Grant {
    /// The role.
    pub role: String,
    /// The statement's `Sid`.
    pub statement: String,
    /// The action, such as `dynamodb:Query`.
    pub action: String,
    /// What it was done to, such as `InstancesTable/index/due`.
    pub resource: String,
}

/// Who may do what, and what was done.
#[derive(Debug)]
pub struct Access {
    /// By key id.
    callers: BTreeMap<String, Caller>,
    /// Keys in the template by ARN.
    logical_ids: BTreeMap<String, String>,
    used: Mutex<BTreeMap<Grant, u64>>,
    refused: Journal<String>,
    done: Done,
}

/// A function as AWS sees it.
#[derive(Debug)]
struct Caller {
    /// The function's name, which is also its session's.
    name: String,
    /// `None` for the role that SAM makes, which allows nothing that is local.
    role: Option<RoleSpec>,
}

impl Access {
    /// Who may do what by a template.
    ///
    /// # Errors
    /// If a role does not let Lambda do what it does in its function's name.
    pub(crate) fn new(template: &Template) -> Result<Self> {
        let callers = template.functions.iter().map(|function| {
            let role = template.role_of(function).cloned();
            let name = function.name.clone();
            (key_id(&function.logical_id), Caller { name, role })
        });
        let access = Self {
            callers: callers.collect(),
            logical_ids: template.logical_ids.clone(),
            ..Self::of_the_account()
        };
        for function in &template.functions {
            access.check_lambda(function)?;
        }
        Ok(access)
    }

    /// Without functions: only the account's key is known.
    pub(crate) fn of_the_account() -> Self {
        Self {
            callers: BTreeMap::new(),
            logical_ids: BTreeMap::new(),
            used: Mutex::default(),
            refused: Journal::new(usize::MAX),
            done: Done::default(),
        }
    }

    /// How many of these a function had done and was told of: entries of a source that the bus accepted, messages that a
    /// queue took, items that a table took, by source or by key in the template.
    pub fn done(&self, function: &str, what: &str) -> u64 {
        self.done.count(&key_id(function), what)
    }

    /// Notes that a call is done and answered.
    pub(crate) fn note_done(&self, headers: &HeaderMap, what: &str, count: usize) {
        if let Some(credential) = Credential::read(headers) {
            self.done.note(&credential.key_id, what, count);
        }
    }

    /// What the statements of the roles allowed until now, and how often.
    pub fn used(&self) -> BTreeMap<Grant, u64> {
        lock(&self.used).clone()
    }

    /// The calls that were refused, each with what the template lacks for it.
    pub fn refused(&self) -> &Journal<String> {
        &self.refused
    }

    /// The same, each once.
    pub fn lacking(&self) -> BTreeSet<String> {
        let refused = self.refused.snapshot();
        refused.iter().map(|call| (**call).clone()).collect()
    }

    /// Judges a call of a service, such as `dynamodb`, by who signed it and by all that it needs.
    pub(crate) fn authorize(
        &self,
        service: &str,
        headers: &HeaderMap,
        needs: &[Need],
    ) -> Result<(), Denial> {
        let judged = self.judge(service, headers, needs);
        if let Err(refusal) = &judged {
            self.refused.push(self.explain(refusal));
        }
        judged
    }

    fn judge(&self, service: &str, headers: &HeaderMap, needs: &[Need]) -> Result<(), Denial> {
        let credential = Credential::read(headers).ok_or(Denial::Unsigned)?;
        if credential.service != service {
            return Err(Denial::Scope(service.to_owned()));
        }
        if credential.key_id == ACCOUNT_KEY {
            return Ok(());
        }
        let caller = self.callers.get(&credential.key_id);
        let caller = caller.ok_or(Denial::UnknownKey(credential.key_id))?;
        // A call that needs something twice is one that needs it.
        let needs: BTreeSet<_> = needs.iter().collect();
        let granted = needs.into_iter().map(|need| self.grant(caller, need));
        let granted: Vec<_> = granted.collect::<Result<_, _>>()?;
        let mut used = lock(&self.used);
        for grant in granted {
            *used.entry(grant).or_default() += 1;
        }
        Ok(())
    }

    fn grant(&self, caller: &Caller, need: &Need) -> Result<Grant, Denial> {
        let role = caller.role.as_ref();
        let statement = role.and_then(|role| role.statement(&need.action, &need.resource));
        match (role, statement) {
            (Some(role), Some(statement)) => Ok(Grant {
                role: role.logical_id.clone(),
                statement: statement.sid.clone(),
                action: need.action.clone(),
                resource: self.name(&need.resource),
            }),
            _ => Err(caller.denied(need)),
        }
    }

    /// `InstancesTable/index/due` for the ARN of an index of that table.
    fn name(&self, arn: &str) -> String {
        let named = |arn: &str| self.logical_ids.get(arn).cloned();
        let index = || {
            let (table, index) = arn.split_once("/index/")?;
            Some(format!("{}/index/{index}", named(table)?))
        };
        named(arn).or_else(index).unwrap_or_else(|| arn.to_owned())
    }

    /// Refuses a function whose role does not let Lambda do its part, as Lambda does. A role of SAM's own has what this takes.
    fn check_lambda(&self, function: &FunctionSpec) -> Result<()> {
        let caller = self.callers.get(&key_id(&function.logical_id));
        let Some(role) = caller.and_then(|caller| caller.role.as_ref()) else {
            return Ok(());
        };
        for need in lambda::needs(function) {
            ensure!(
                role.statement(&need.action, &need.resource).is_some(),
                "no statement of {} allows {} on {}, which Lambda does for {}",
                role.logical_id,
                need.action,
                self.name(&need.resource),
                function.logical_id
            );
        }
        Ok(())
    }

    fn explain(&self, refusal: &Denial) -> String {
        match refusal {
            Denial::Denied { role, need, .. } => format!(
                "no statement of {} allows {} on {}",
                role.as_deref().unwrap_or("the role that SAM makes"),
                need.action,
                self.name(&need.resource)
            ),
            Denial::Unsigned => "a call without a signature".to_owned(),
            Denial::UnknownKey(key) => format!("a call with the unknown key {key}"),
            Denial::Scope(service) => format!("a call that is not signed for {service}"),
        }
    }
}

impl Caller {
    fn denied(&self, need: &Need) -> Denial {
        let role = self.role.as_ref();
        let role_name = role.map_or("SAM", |role| &role.name);
        Denial::Denied {
            user: format!(
                "arn:aws:sts::{ACCOUNT}:assumed-role/{role_name}/{}",
                self.name
            ),
            role: role.map(|role| role.logical_id.clone()),
            need: need.clone(),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
