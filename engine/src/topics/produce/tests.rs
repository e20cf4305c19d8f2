use super::*;

/// Gives its bytes in pieces of a size, as a pipe does.
struct Pieces<'a>(&'a [u8], usize);

impl Read for Pieces<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let size = self.1.min(self.0.len()).min(into.len());
        let (piece, rest) = self.0.split_at(size);
        into[..size].copy_from_slice(piece);
        self.0 = rest;
        Ok(size)
    }
}

fn lines(bytes: &[u8], piece: usize) -> Vec<Vec<u8>> {
    let mut lines = Lines::new(Pieces(bytes, piece));
    let mut all = Vec::new();
    while let Some(line) = lines.next_line().expect("bytes in memory") {
        all.push(line.to_vec());
    }
    all
}

#[test]
fn lines_do_not_depend_on_how_they_arrive() {
    let text = b"one\n\ntwo\r\n\xff\n last";
    let expected: Vec<&[u8]> = vec![b"one", b"", b"two\r", b"\xff", b" last"];
    for piece in [1, 2, 3, 5, 100] {
        assert_eq!(lines(text, piece), expected, "pieces of {piece}");
    }
    assert_eq!(lines(b"", 1), Vec::<Vec<u8>>::new());
    assert_eq!(lines(b"a\n", 1), vec![b"a".to_vec()]);
}

#[test]
fn a_line_longer_than_a_chunk_is_whole() {
    let mut text = vec![b'x'; 3 * CHUNK_BYTES];
    text.extend_from_slice(b"\nend\n");
    let all = lines(&text, 100_000);
    assert_eq!(all.iter().map(Vec::len).collect::<Vec<_>>(), [3 * CHUNK_BYTES, 3]);
}
