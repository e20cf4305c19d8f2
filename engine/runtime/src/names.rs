//! Names of what the engine keeps in Kafka for a project.

/// Names of topics, group and transactions of one running project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    /// Project name; characters outside `[A-Za-z0-9._-]` have been replaced.
    pub project: String,
    /// Environment; `default` without one.
    pub environment: String,
    /// Name of an instance that runs a selection of the models.
    pub instance: Option<String>,
}

impl Names {
    fn scope(&self) -> String {
        let instance = self.instance.as_ref().map(|name| format!(".{name}")).unwrap_or_default();
        format!("{}.{}{instance}", self.project, self.environment)
    }

    /// Topic of the journal.
    pub fn journal(&self) -> String {
        format!("_engine.{}.journal", self.scope())
    }

    /// Topic of the dead letters.
    pub fn dead_letters(&self) -> String {
        format!("_engine.{}.dead_letters", self.scope())
    }

    /// Kafka's `transactional.id`, and the consumer group whose offsets tools can see.
    pub fn group(&self) -> String {
        format!("engine.{}", self.scope())
    }
}
