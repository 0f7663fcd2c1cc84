//! The work on one request.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use rocket::tokio::runtime::Handle;

use super::response::Answer;

/// The work on one request. If the client disconnects, hyper drops it; then it goes on in a task of its own, so that
/// a change to an account completes.
pub(super) struct Work(Option<Pin<Box<dyn Future<Output = Answer> + Send>>>);

impl Work {
    pub(super) fn new(work: impl Future<Output = Answer> + Send + 'static) -> Self {
        Self(Some(Box::pin(work)))
    }
}

impl Future for Work {
    type Output = Answer;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Answer> {
        let Some(work) = &mut self.0 else { return Poll::Pending };
        let answer = ready!(work.as_mut().poll(context));
        self.0 = None;
        Poll::Ready(answer)
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        if let (Some(unfinished), Ok(runtime)) = (self.0.take(), Handle::try_current()) {
            runtime.spawn(unfinished);
        }
    }
}
