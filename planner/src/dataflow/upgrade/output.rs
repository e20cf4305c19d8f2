//! What has changed in a model's output.

use catalog::schema::flink_type_name;

use super::{Comparison, Reason, Weight};
use crate::dataflow::{Dataflow, Sink};

impl Comparison<'_> {
    pub(super) fn compare_output(&self, model: &str, reasons: &mut Vec<Reason>) {
        let (Some((was, then)), Some((is, now))) = (sink(self.old, model), sink(self.new, model))
        else {
            return;
        };
        let mut note = |weight: Weight, text: String| reasons.push(Reason { weight, text });
        if then.topic != now.topic {
            let text = format!("it writes topic `{}` instead of `{}`", now.topic, then.topic);
            note(Weight::Accept, text);
        }
        let key = |dataflow: &Dataflow, node: usize, sink: &Sink| {
            let key = sink.key?;
            Some(dataflow.input_schema(node, 0).field(key).name().clone())
        };
        let (old_key, new_key) = (key(self.old, was, then), key(self.new, is, now));
        if old_key != new_key {
            let shown =
                |key: Option<String>| key.map_or("none".to_owned(), |key| format!("`{key}`"));
            let text = format!("its key is {} instead of {}", shown(new_key), shown(old_key));
            note(Weight::Accept, text);
        }
        let how = |sink: &Sink| (sink.format.clone(), sink.multiset, sink.timestamps);
        if how(then) != how(now) {
            note(Weight::Accept, "its values are written otherwise".to_owned());
        }
        self.compare_columns(was, is, reasons);
        self.compare_let_through(was, is, reasons);
    }

    fn compare_columns(&self, was: usize, is: usize, reasons: &mut Vec<Reason>) {
        // Columns of other windows or keys are others: that is told already.
        let is_rebuilt = reasons.iter().any(|reason| reason.weight == Weight::Rebuild);
        let mut note = |weight: Weight, text: String| reasons.push(Reason { weight, text });
        let (old, new) = (self.old.input_schema(was, 0), self.new.input_schema(is, 0));
        for (position, field) in new.fields().iter().enumerate() {
            let name = field.name();
            match old.index_of(name) {
                Err(_absent) => note(Weight::Light, format!("column `{name}` is added")),
                Ok(before) => {
                    let old_type = old.field(before).data_type();
                    if old_type != field.data_type() {
                        let (then, now) =
                            (flink_type_name(old_type), flink_type_name(field.data_type()));
                        note(Weight::Accept, format!("column `{name}` is {now} instead of {then}"));
                    } else if !is_rebuilt
                        && self.was.columns(was)[before] != self.is.columns(is)[position]
                    {
                        note(Weight::Accept, format!("column `{name}` is computed otherwise"));
                    }
                }
            }
        }
        for field in old.fields().iter().filter(|field| new.index_of(field.name()).is_err()) {
            note(Weight::Accept, format!("column `{}` is gone", field.name()));
        }
    }

    /// Which rows come out, where its operators have not said it.
    fn compare_let_through(&self, was: usize, is: usize, reasons: &mut Vec<Reason>) {
        let (then, now) = (self.was.rows(was), self.is.rows(is));
        let is_told = |weight: Weight| reasons.iter().any(|reason| reason.weight >= weight);
        let is_where_told = reasons.iter().any(|reason| reason.text.starts_with("WHERE"));
        if then.unfiltered != now.unfiltered {
            if !is_told(Weight::Accept) {
                let text = "it reads other rows".to_owned();
                reasons.push(Reason { weight: Weight::Rebuild, text });
            }
        } else if then.exact != now.exact && !is_where_told && !is_told(Weight::Rebuild) {
            let text = "WHERE has changed: it holds for the rows from here on".to_owned();
            reasons.push(Reason { weight: Weight::Accept, text });
        }
    }
}

fn sink<'a>(dataflow: &'a Dataflow, model: &str) -> Option<(usize, &'a Sink)> {
    dataflow.sinks().find(|(_, sink)| sink.model == model)
}
