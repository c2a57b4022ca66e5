//! What the service writes into its log.

use std::{
    cell::RefCell,
    io::{self, Write},
    sync::Once,
};

use tracing::{Level, level_filters::LevelFilter};
use tracing_subscriber::{Layer, filter::dynamic_filter_fn, fmt, layer::SubscriberExt, registry};

thread_local! {
    /// What is logged on this thread, while somebody wants to know.
    static LINES: RefCell<Option<Vec<u8>>> = const { RefCell::new(None) };
}

struct Lines;

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LINES.with_borrow_mut(|lines| lines.iter_mut().for_each(|lines| lines.extend_from_slice(bytes)));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Has lines written where they are wanted. It is done before any test begins: a subscriber that comes later may miss lines
/// whose place another thread has met before.
pub(super) fn begin() {
    static BEGUN: Once = Once::new();
    BEGUN.call_once(|| {
        let wanted =
            dynamic_filter_fn(|line, _| *line.level() <= Level::INFO && LINES.with_borrow(Option::is_some))
                .with_max_level_hint(LevelFilter::INFO);
        let lines = fmt::layer().with_ansi(false).with_writer(|| Lines).with_filter(wanted);
        tracing::subscriber::set_global_default(registry().with(lines)).unwrap();
    });
}

/// Does something on this thread; what came of it, and what was logged meanwhile.
pub(crate) async fn logged<T>(work: impl Future<Output = T>) -> (T, String) {
    LINES.set(Some(Vec::new()));
    let done = work.await;
    let lines = LINES.take().unwrap();
    (done, String::from_utf8(lines).unwrap())
}
