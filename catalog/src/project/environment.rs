//! One of the files under `environments/`.

/// The chosen environment of a project that has several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Environment {
    /// `environment.name`, the file's stem.
    pub name: String,
    /// `environment.description`.
    pub description: Option<String>,
    /// Whether `apply` wants the name typed.
    pub is_protected: bool,
    /// `safety.confirm_apply`; by default as `is_protected`.
    pub confirm_apply: bool,
    /// `safety.allow_destructive`; by default true.
    pub allow_destructive: bool,
}

impl Environment {
    /// `environment.name`.
    pub fn name(&self) -> &str {
        &self.name
    }
}
