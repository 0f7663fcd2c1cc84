//! Background jobs: delivering messages, telling a host app of events, and removing expired data.

use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use log::error;
use rocket::fairing::AdHoc;
use rocket::futures::FutureExt;
use rocket::futures::future::BoxFuture;
use rocket::tokio::time::{sleep, timeout};
use rocket::tokio::{self, select};
use rocket::{Orbit, Rocket, Shutdown};

use crate::Accounts;
use crate::auth::{AccountEvent, Auth, LOOK_EVERY};
use crate::error::{Error, error_chain};

/// How often expired data is removed.
const SWEEP_EVERY: Duration = Duration::from_mins(15);

/// How long messages in delivery, and listeners that are being told, may delay shutdown. The next process sends and
/// tells again what is cut off.
const FINISH_WITHIN: Duration = Duration::from_secs(5);

/// A job without progress for this long is restarted: it waits for something that will never happen.
const STALLED_AFTER: Duration = Duration::from_mins(1);

/// Starts the background jobs with the service.
pub(crate) fn fairing() -> AdHoc {
    AdHoc::on_liftoff("Vestibule: jobs", |rocket| {
        Box::pin(async move {
            let Some(auth) = rocket.state::<Auth>().cloned() else { return };
            if auth.config().jobs {
                if let Some(Listeners(listeners)) = rocket.state().cloned() {
                    let (auth, shutdown) = (auth.clone(), rocket.shutdown());
                    tokio::spawn(keep_going("telling events", STALLED_AFTER, move |pulse| {
                        tell(auth.clone(), listeners.clone(), shutdown.clone(), pulse)
                    }));
                }
                let (delivery, shutdown) = (auth.clone(), rocket.shutdown());
                tokio::spawn(keep_going("delivery", STALLED_AFTER, move |pulse| {
                    deliver(delivery.clone(), shutdown.clone(), pulse)
                }));
                let shutdown = rocket.shutdown();
                tokio::spawn(keep_going("the sweep", STALLED_AFTER, move |pulse| {
                    sweep(auth.clone(), shutdown.clone(), pulse)
                }));
            } else {
                tokio::spawn(take_stock(auth, rocket.shutdown()));
            }
        })
    })
}

/// The time of a job's last progress.
#[derive(Clone)]
struct Pulse(Arc<Mutex<Instant>>);

impl Pulse {
    fn beat(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    /// Returns when there has been no beat for this long.
    async fn stops(&self, stalled_after: Duration) {
        loop {
            let last = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let left = stalled_after.saturating_sub(last.elapsed());
            if left.is_zero() {
                return;
            }
            sleep(left).await;
        }
    }
}

/// Runs a job until it ends; restarts it if it panics or stalls.
async fn keep_going<F>(job: &str, stalled_after: Duration, begin: impl Fn(Pulse) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    loop {
        let pulse = Pulse(Arc::new(Mutex::new(Instant::now())));
        let mut running = tokio::spawn(begin(pulse.clone()));
        select! {
            ended = &mut running => match ended {
                Ok(()) => return,
                Err(error) => error!("{job} broke off and begins anew: {error}"),
            },
            () = pulse.stops(stalled_after) => {
                running.abort();
                error!("{job} has not moved for {stalled_after:?} and begins anew");
            }
        }
    }
}

/// Returns when what is in progress has delayed shutdown for long enough.
async fn cut_off(shutdown: Shutdown) {
    shutdown.await;
    sleep(FINISH_WITHIN).await;
}

/// Delivers messages as they arrive. On shutdown, finishes those in delivery.
async fn deliver(auth: Auth, mut shutdown: Shutdown, pulse: Pulse) {
    loop {
        pulse.beat();
        {
            // Keeps the pool open until this round is done.
            let _in_flight = auth.enter();
            let is_over = || {
                pulse.beat();
                auth.note_delivery();
                shutdown.clone().now_or_never().is_some()
            };
            let round = async {
                auth.follow_clock().await?;
                if auth.may_deliver().await? {
                    auth.deliver_due(is_over).await
                } else {
                    auth.refresh_message_count().await
                }
            };
            select! {
                done = round => report(done),
                () = cut_off(shutdown.clone()) => return,
            }
        }
        select! {
            biased;
            () = &mut shutdown => return,
            () = auth.message_waits() => {}
            () = sleep(LOOK_EVERY) => {}
        }
    }
}

async fn sweep(auth: Auth, mut shutdown: Shutdown, pulse: Pulse) {
    loop {
        {
            let _in_flight = auth.enter();
            let round = async {
                auth.follow_clock().await?;
                if auth.begin_sweep().await? { auth.sweep(|| pulse.beat()).await } else { Ok(()) }
            };
            report(round.await);
        }
        let mut next = pin!(sleep(SWEEP_EVERY));
        loop {
            pulse.beat();
            select! {
                biased;
                () = &mut shutdown => return,
                () = auth.sweep_is_due() => break,
                () = &mut next => break,
                () = sleep(STALLED_AFTER / 2) => {}
            }
        }
    }
}

/// Updates what a node without jobs needs to know.
async fn take_stock(auth: Auth, mut shutdown: Shutdown) {
    loop {
        {
            let _in_flight = auth.enter();
            report(auth.take_stock().await);
        }
        let mut next = pin!(sleep(SWEEP_EVERY));
        loop {
            report(auth.follow_clock().await);
            report(auth.refresh_message_count().await);
            select! {
                biased;
                () = &mut shutdown => return,
                () = &mut next => break,
                () = sleep(LOOK_EVERY) => {}
            }
        }
    }
}

/// What the host app does with an event.
pub(crate) type Listener =
    dyn Fn(AccountEvent, Accounts) -> BoxFuture<'static, EventResult> + Send + Sync;

/// What the host app does with events.
#[derive(Clone)]
pub(crate) struct Listeners(pub(crate) Arc<[Arc<Listener>]>);

/// The outcome of telling a host app of an event; see [`Stage::on`](crate::Stage::on).
pub type EventResult = Result<(), Box<dyn std::error::Error + Send + Sync>>;

/// How long the host app may take with an event.
const TOLD_WITHIN: Duration = Duration::from_secs(30);

async fn tell(auth: Auth, listeners: Arc<[Arc<Listener>]>, mut shutdown: Shutdown, pulse: Pulse) {
    loop {
        {
            let _in_flight = auth.enter();
            let is_over = || {
                pulse.beat();
                shutdown.clone().now_or_never().is_some()
            };
            select! {
                told = tell_due(&auth, &listeners, is_over) => report(told),
                () = cut_off(shutdown.clone()) => return,
            }
        }
        select! {
            biased;
            () = &mut shutdown => return,
            () = auth.event_waits() => {}
            () = sleep(LOOK_EVERY) => {}
        }
    }
}

/// Tells the host app of all events that are due, one after the other.
async fn tell_due(
    auth: &Auth,
    listeners: &[Arc<Listener>],
    is_over: impl Fn() -> bool,
) -> Result<(), Error> {
    while !is_over()
        && let Some(due) = auth.claim_event().await?
    {
        let Some(event) = due.event else {
            auth.event_was_told(&due).await?;
            continue;
        };
        let told = async {
            for listener in listeners {
                listener(event, Accounts::from(auth.clone())).await?;
            }
            EventResult::Ok(())
        };
        let told = timeout(TOLD_WITHIN, AssertUnwindSafe(told).catch_unwind()).await;
        let failure = match told {
            Ok(Ok(Ok(()))) => {
                auth.event_was_told(&due).await?;
                continue;
            }
            Ok(Ok(Err(error))) => error.to_string(),
            Ok(Err(_)) => "a panic".into(),
            Err(_) => format!("no end within {TOLD_WITHIN:?}"),
        };
        error!("the app could not be told of {event:?}, and is told again later: {failure}");
        auth.event_was_not_told(&due).await?;
    }
    Ok(())
}

fn report(done: Result<(), Error>) {
    if let Err(error) = done {
        error!("background job: {}", error_chain(&error));
    }
}

/// Runs the background jobs once, for tests of an app with `jobs = false`: tells the app of events, sends all due
/// messages, and removes expired data.
///
/// # Errors
/// If the database fails, or Vestibule is not attached. A listener that fails is logged, and told again later.
pub async fn run_jobs(rocket: &Rocket<Orbit>) -> Result<(), Error> {
    let auth: Option<&Auth> = rocket.state();
    let auth = auth.ok_or_else(|| Error::new("no jobs", "stage() is not attached"))?;
    auth.follow_clock().await?;
    if let Some(Listeners(listeners)) = rocket.state() {
        tell_due(auth, listeners, || false).await?;
    }
    auth.deliver_due(|| false).await?;
    auth.sweep(|| {}).await
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use rocket::futures::future::pending;
    use rocket::tokio::sync::mpsc;

    use super::*;

    /// Promise 53: nothing that hangs ends the delivery of messages for good.
    #[rocket::async_test]
    async fn a_job_that_panics_or_stalls_begins_anew() {
        let (begun, mut beginnings) = mpsc::unbounded_channel();
        let turn = AtomicUsize::new(0);
        keep_going("the test", Duration::from_millis(500), |_| {
            let (begun, turn) = (begun.clone(), turn.fetch_add(1, Ordering::Relaxed));
            async move {
                begun.send(turn).unwrap();
                match turn {
                    0 => panic!("on purpose"),
                    1 => pending().await,
                    _ => {}
                }
            }
        })
        .await;
        drop(begun);
        let mut seen = Vec::new();
        while let Some(turn) = beginnings.recv().await {
            seen.push(turn);
        }
        assert_eq!(seen, [0, 1, 2]);
    }
}
