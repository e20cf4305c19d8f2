//! Sources and sinks with positions, transactions, admin.
