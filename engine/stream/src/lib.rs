//! The words of the data road: batches, advances, watermarks, items, epochs, clocks.
