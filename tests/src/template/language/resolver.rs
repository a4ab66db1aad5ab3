//! The template and all that its intrinsics can refer to.

use std::cell::RefCell;

use anyhow::{Result, bail};

use super::node::Node;
use super::parameters::Parameters;

/// Works out what the template says. Each kind of question is answered in a file of its own.
pub(crate) struct Resolver {
    pub(crate) root: Node,
    pub(crate) parameters: Parameters,
    pub(crate) stack_name: String,
    /// The conditions and resource names being worked out, to notice a circle.
    pub(crate) open: RefCell<Vec<String>>,
}

impl Resolver {
    /// A resolver of a template with these values of its parameters.
    pub(crate) fn new(root: Node, parameters: Parameters, stack_name: &str) -> Self {
        Self {
            root,
            parameters,
            stack_name: stack_name.to_owned(),
            open: RefCell::default(),
        }
    }

    /// Runs `work` on `name`, and refuses a template in which that leads back to `name`.
    pub(crate) fn guarded<T>(
        &self,
        line: usize,
        name: &str,
        work: impl FnOnce() -> Result<T>,
    ) -> Result<T> {
        if self.open.borrow().iter().any(|open| open == name) {
            bail!("line {line}: {name} refers to itself");
        }
        self.open.borrow_mut().push(name.to_owned());
        let outcome = work();
        self.open.borrow_mut().pop();
        outcome
    }
}
