//! Runs a Dataflow: operators, the fold, epochs, commit, recovery.
