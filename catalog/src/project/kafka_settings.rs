//! librdkafka settings that a project may give: one list, nothing else passes.
