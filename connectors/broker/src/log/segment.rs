//! One file of batches, and walks over it.

use std::fs::{File, OpenOptions};
use std::io::{self, IoSlice, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::batch::{self, BatchHeader, HEADER_BYTES};
use super::index::Index;

/// How much a walk over headers reads at once.
const WALK_BYTES: usize = 64 * 1024;

/// A file `BASE_OFFSET.log`, its size and its index.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) base_offset: i64,
    pub(crate) bytes: u64,
    path: PathBuf,
    /// Open while the segment is written to.
    writer: Option<Arc<File>>,
    /// Loaded when it is first asked for.
    index: Option<Index>,
}

impl Segment {
    /// A segment file that exists, of so many bytes.
    pub(crate) fn existing(folder: &Path, base_offset: i64, bytes: u64) -> Self {
        Self { base_offset, bytes, path: path_of(folder, base_offset), writer: None, index: None }
    }

    /// A new, empty segment file.
    pub(crate) fn create(folder: &Path, base_offset: i64) -> io::Result<Self> {
        let path = path_of(folder, base_offset);
        let writer = OpenOptions::new().append(true).read(true).create(true).open(&path)?;
        writer.set_len(0)?;
        let (writer, index) = (Some(Arc::new(writer)), Some(Index::default()));
        Ok(Self { base_offset, bytes: 0, path, writer, index })
    }

    /// The file, open for reading.
    pub(crate) fn reader(&self) -> io::Result<Arc<File>> {
        match &self.writer {
            Some(writer) => Ok(Arc::clone(writer)),
            None => Ok(Arc::new(File::open(&self.path)?)),
        }
    }

    /// Appends one batch at the offset in `header`. On failure the file is as it was.
    pub(crate) fn append(&mut self, header: &BatchHeader, batch: &[u8]) -> io::Result<()> {
        self.index()?;
        let writer = match &self.writer {
            Some(writer) => Arc::clone(writer),
            None => Arc::new(OpenOptions::new().append(true).read(true).open(&self.path)?),
        };
        self.writer = Some(Arc::clone(&writer));
        let prefix = batch::stored_prefix(header);
        let rest = batch.get(prefix.len()..).unwrap_or_default();
        if let Err(error) = write_both(&writer, &prefix, rest) {
            writer.set_len(self.bytes)?;
            return Err(error);
        }
        self.bytes += header.bytes as u64;
        if let Some(index) = &mut self.index {
            index.add(header);
        }
        Ok(())
    }

    /// Ends writing: the index goes to disk, the file handle away.
    pub(crate) fn seal(&mut self) -> io::Result<()> {
        self.save_index()?;
        self.writer = None;
        Ok(())
    }

    /// Writes the index file, if the index is loaded.
    pub(crate) fn save_index(&self) -> io::Result<()> {
        self.index.as_ref().map_or(Ok(()), |index| index.save(&self.index_path()))
    }

    /// Hands what was written to the disk.
    pub(crate) fn sync(&self) -> io::Result<()> {
        self.writer.as_ref().map_or(Ok(()), |writer| writer.sync_data())
    }

    /// Cuts the file.
    pub(crate) fn truncate(&mut self, bytes: u64) -> io::Result<()> {
        OpenOptions::new().write(true).open(&self.path)?.set_len(bytes)?;
        self.bytes = bytes;
        self.index = None;
        Ok(())
    }

    /// Removes the file and its index.
    pub(crate) fn delete(&self) -> io::Result<()> {
        if self.index_path().exists() {
            std::fs::remove_file(self.index_path())?;
        }
        std::fs::remove_file(&self.path)
    }

    /// The index, from its file or else from the batch headers.
    pub(crate) fn index(&mut self) -> io::Result<&Index> {
        let index = match self.index.take() {
            Some(index) => index,
            None => self.load_index()?,
        };
        Ok(self.index.insert(index))
    }

    fn load_index(&self) -> io::Result<Index> {
        let saved = Index::load(&self.index_path());
        let mut index = saved.filter(|index| index.covered() <= self.bytes).unwrap_or_default();
        let mut walk = Walk::new(self.reader()?, index.covered(), self.bytes);
        while let Some((header, _)) = walk.next_header()? {
            index.add(&header);
        }
        Ok(index)
    }

    fn index_path(&self) -> PathBuf {
        self.path.with_extension("index")
    }
}

fn path_of(folder: &Path, base_offset: i64) -> PathBuf {
    folder.join(format!("{base_offset:020}.log"))
}

/// Writes two parts one after the other without joining them first.
fn write_both(mut file: &File, prefix: &[u8], rest: &[u8]) -> io::Result<()> {
    let total = prefix.len() + rest.len();
    let written = file.write_vectored(&[IoSlice::new(prefix), IoSlice::new(rest)])?;
    if written == total {
        return Ok(());
    }
    // A short write is rare (a full disk, a signal): the remainder goes the slow way.
    let joined = [prefix, rest].concat();
    file.write_all(joined.get(written..).unwrap_or_default())
}

/// A walk over the headers of a stretch of a segment, in large reads.
pub(crate) struct Walk {
    file: Arc<File>,
    position: u64,
    end: u64,
    buffer: Vec<u8>,
    buffer_at: u64,
}

impl Walk {
    /// A walk from `position`, the start of a batch, to `end`.
    pub(crate) fn new(file: Arc<File>, position: u64, end: u64) -> Self {
        Self { file, position, end, buffer: Vec::new(), buffer_at: 0 }
    }

    /// The next batch's header and where the batch starts; `None` at the end, or where what
    /// follows is no whole batch.
    pub(crate) fn next_header(&mut self) -> io::Result<Option<(BatchHeader, u64)>> {
        let at = self.position;
        if at + HEADER_BYTES as u64 > self.end {
            return Ok(None);
        }
        let bytes = self.bytes_at(at, HEADER_BYTES)?;
        let Ok(header) = BatchHeader::read(bytes) else { return Ok(None) };
        if at + header.bytes as u64 > self.end {
            return Ok(None);
        }
        self.position = at + header.bytes as u64;
        Ok(Some((header, at)))
    }

    /// The whole batch that starts at `at`.
    pub(crate) fn batch(&mut self, header: &BatchHeader, at: u64) -> io::Result<&[u8]> {
        self.bytes_at(at, header.bytes)
    }

    fn bytes_at(&mut self, at: u64, count: usize) -> io::Result<&[u8]> {
        let end = at + count as u64;
        let is_buffered = at >= self.buffer_at && end <= self.buffer_at + self.buffer.len() as u64;
        if !is_buffered {
            let left = usize::try_from(self.end - at).unwrap_or(usize::MAX);
            self.buffer.resize(WALK_BYTES.max(count).min(left), 0);
            self.buffer_at = at;
            self.file.read_exact_at(&mut self.buffer, at)?;
        }
        let from = usize::try_from(at - self.buffer_at).unwrap_or(usize::MAX);
        let bytes = from.checked_add(count).and_then(|to| self.buffer.get(from..to));
        bytes.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }
}
