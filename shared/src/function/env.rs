//! Settings from the environment, read once at start, every problem named together.

use std::collections::HashMap;
use std::str::FromStr;

use secrecy::{ExposeSecret, SecretString};

/// The environment is not one that a function can start with.
#[derive(Debug, thiserror::Error)]
#[error("cannot start: {}", problems.join("; "))]
pub struct ConfigError {
    problems: Vec<String>,
}

/// Reads variables and remembers what was wrong, so that one start shows all of it.
///
/// A variable that is set to nothing counts as absent: that is how a template passes an optional parameter.
#[derive(Debug)]
pub struct EnvReader {
    variables: HashMap<String, SecretString>,
    problems: Vec<String>,
}

impl EnvReader {
    /// A reader of the process's own environment.
    pub fn from_process() -> Self {
        Self::new(std::env::vars_os().filter_map(|(name, value)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        }))
    }

    /// A reader of the given variables.
    pub fn new(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        let variables = variables
            .into_iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(name, value)| (name, SecretString::from(value)))
            .collect();
        Self {
            variables,
            problems: Vec::new(),
        }
    }

    /// The variable's text, or nothing.
    pub fn optional(&self, name: &str) -> Option<String> {
        self.variables
            .get(name)
            .map(|value| value.expose_secret().to_owned())
    }

    /// The variable's text; a missing one becomes a problem and reads as empty.
    pub fn required(&mut self, name: &str) -> String {
        self.optional(name).unwrap_or_else(|| {
            self.problems.push(format!("{name} is not set"));
            String::new()
        })
    }

    /// The same, for what must not be printed.
    pub fn secret(&mut self, name: &str) -> SecretString {
        self.required(name).into()
    }

    /// All variables whose names begin with `prefix`, by name.
    pub fn starting_with(&self, prefix: &str) -> HashMap<String, String> {
        self.variables
            .iter()
            .filter(|(name, _)| name.starts_with(prefix))
            .map(|(name, value)| (name.clone(), value.expose_secret().to_owned()))
            .collect()
    }

    /// The parts of the variable between commas.
    pub fn list(&self, name: &str) -> Vec<String> {
        let text = self.optional(name).unwrap_or_default();
        text.split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty())
            .map(str::to_owned)
            .collect()
    }

    /// The variable parsed, or `default` where it is absent; text that does not parse becomes a problem.
    pub fn parsed<T: FromStr>(&mut self, name: &str, default: T, expected: &str) -> T {
        match self.optional(name).map(|text| text.parse()) {
            None => default,
            Some(Ok(value)) => value,
            Some(Err(_)) => {
                self.problems.push(format!("{name} is not {expected}"));
                default
            }
        }
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// Every problem met on the way, with the names of the variables and never their values.
    pub fn finish<T>(self, config: T) -> Result<T, ConfigError> {
        if self.problems.is_empty() {
            Ok(config)
        } else {
            Err(ConfigError {
                problems: self.problems,
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::EnvReader;

    #[test]
    fn names_everything_that_is_missing_or_wrong_at_once() {
        let mut reader = EnvReader::new([
            ("B".to_owned(), "many".to_owned()),
            ("C".to_owned(), String::new()),
        ]);
        reader.required("A");
        reader.parsed("B", 1_u32, "a whole number");
        reader.secret("C");
        let error = reader.finish(()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "cannot start: A is not set; B is not a whole number; C is not set"
        );
    }
}
