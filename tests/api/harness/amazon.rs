//! Amazon, as far as the service asks it for anything: it is asked here, and nothing goes out.

use std::sync::{Arc, Mutex};

use leadscore::intake::mail::Fetch;

/// What Amazon was asked for.
#[derive(Clone, Default)]
pub(crate) struct Amazon {
    asked: Arc<Mutex<Vec<String>>>,
    answer: Arc<Mutex<Option<Vec<u8>>>>,
}

impl Amazon {
    /// The addresses that were asked, in their order.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    /// What it answers from now on; before that, it is away.
    pub(crate) fn answers(&self, answer: &str) {
        *self.answer.lock().unwrap() = Some(answer.as_bytes().to_vec());
    }

    pub(super) fn fetch(&self) -> Fetch {
        let amazon = self.clone();
        Fetch::Instead(Arc::new(move |url| {
            amazon.asked.lock().unwrap().push(url.to_string());
            let answer = amazon.answer.lock().unwrap().clone();
            Box::pin(async { answer.ok_or_else(|| "nobody answers".to_owned()) })
        }))
    }
}
