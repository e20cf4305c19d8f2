//! What the user declared, checked: project files, templates, references, places.
