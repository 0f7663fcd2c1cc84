//! What happens without being asked: letters leave, and what expired is swept.

use std::time::Duration;

use log::error;
use rocket::fairing::AdHoc;
use rocket::futures::FutureExt;
use rocket::tokio::time::{Instant, sleep};
use rocket::tokio::{self, select};
use rocket::{Orbit, Rocket};

use crate::auth::Auth;
use crate::error::{Error, errors_in_a_row};

/// How often the outbox is looked at without a call: for letters whose retry is due, and for those
/// that another node put there.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// How often what expired is removed.
const SWEEP_EVERY: Duration = Duration::from_mins(15);

/// For how long a letter under way holds up the end of the service. One that is cut off comes again, from
/// the next process.
const FINISH_WITHIN: Duration = Duration::from_secs(5);

/// Starts the background job with the service, and stops it with the letters that are under way.
pub(crate) fn fairing() -> AdHoc {
    AdHoc::on_liftoff("Vestibule: letters and sweeping", |rocket| {
        Box::pin(async move {
            if let Some(auth) = rocket.state::<Auth>().filter(|auth| auth.config().jobs) {
                tokio::spawn(work(auth.clone(), rocket.shutdown()));
            }
        })
    })
}

async fn work(auth: Auth, mut shutdown: rocket::Shutdown) {
    let mut sweep_at = Instant::now();
    loop {
        {
            // The pool stays open until this round is done.
            let _in_flight = auth.enter();
            let is_over = || shutdown.clone().now_or_never().is_some();
            let cut_off = async {
                shutdown.clone().await;
                sleep(FINISH_WITHIN).await;
            };
            select! {
                done = auth.deliver_due(is_over) => report(done),
                () = cut_off => return,
            }
            if Instant::now() >= sweep_at {
                report(auth.sweep().await);
                sweep_at = Instant::now() + SWEEP_EVERY;
            }
        }
        select! {
            biased;
            () = &mut shutdown => return,
            () = auth.letter_waits() => {}
            () = sleep(LOOK_EVERY) => {}
        }
    }
}

fn report(done: Result<(), Error>) {
    if let Err(error) = done {
        error!("background job: {}", errors_in_a_row(&error));
    }
}

/// One round of the background job, for tests of an app that sets `jobs = false`: sends every letter
/// that is due and sweeps what expired.
///
/// # Errors
/// When the database fails, or Vestibule is not attached.
pub async fn run_jobs(rocket: &Rocket<Orbit>) -> Result<(), Error> {
    let auth: Option<&Auth> = rocket.state();
    let auth = auth.ok_or_else(|| Error::new("no jobs", "stage() is not attached"))?;
    auth.deliver_due(|| false).await?;
    auth.sweep().await
}
