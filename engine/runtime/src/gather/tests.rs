use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::*;

proptest! {
    #[test]
    fn texts_are_gathered_as_arrow_does(
        sources in vec(vec(option::of("[a-zé]{0,40}"), 1..20), 1..4),
        picks in vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 1..50),
    ) {
        let arrays: Vec<StringArray> = sources.into_iter().map(StringArray::from).collect();
        // A slice shares the buffers of the whole.
        let arrays: Vec<StringArray> = arrays.iter().map(|array| array.slice(array.len() / 2, array.len() - array.len() / 2)).collect();
        let indices: Vec<(usize, usize)> = picks
            .iter()
            .map(|(array, row)| {
                let array = array.index(arrays.len());
                (array, row.index(arrays[array].len()))
            })
            .collect();
        let arrays: Vec<&dyn Array> = arrays.iter().map(|array| array as &dyn Array).collect();
        prop_assert_eq!(&gather(&arrays, &indices)?, &interleave(&arrays, &indices)?);
    }
}
