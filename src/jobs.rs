//! What happens without being asked: letters leave, and what expired is swept.

use std::time::Duration;

use log::error;
use rocket::fairing::AdHoc;
use rocket::futures::FutureExt;
use rocket::tokio::time::sleep;
use rocket::tokio::{self, select};
use rocket::{Orbit, Rocket, Shutdown};

use crate::auth::{Auth, LOOK_EVERY};
use crate::error::{Error, errors_in_a_row};

/// How often what expired is removed.
const SWEEP_EVERY: Duration = Duration::from_mins(15);

/// For how long a letter under way holds up the end of the service. One that is cut off comes again, from
/// the next process.
const FINISH_WITHIN: Duration = Duration::from_secs(5);

/// Starts the background jobs with the service.
pub(crate) fn fairing() -> AdHoc {
    AdHoc::on_liftoff("Vestibule: letters and sweeping", |rocket| {
        Box::pin(async move {
            if let Some(auth) = rocket.state::<Auth>().filter(|auth| auth.config().jobs) {
                tokio::spawn(deliver(auth.clone(), rocket.shutdown()));
                tokio::spawn(sweep(auth.clone(), rocket.shutdown()));
            } else if let Some(auth) = rocket.state::<Auth>() {
                tokio::spawn(take_stock(auth.clone(), rocket.shutdown()));
            }
        })
    })
}

/// Sends letters as they come, and stops with those that are under way.
async fn deliver(auth: Auth, mut shutdown: Shutdown) {
    loop {
        {
            // The pool stays open until this round is done.
            let _in_flight = auth.enter();
            let is_over = || shutdown.clone().now_or_never().is_some();
            let cut_off = async {
                shutdown.clone().await;
                sleep(FINISH_WITHIN).await;
            };
            let round = async {
                auth.count_letters().await?;
                if auth.may_deliver().await? { auth.deliver_due(is_over).await } else { Ok(()) }
            };
            select! {
                done = round => report(done),
                () = cut_off => return,
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

async fn sweep(auth: Auth, mut shutdown: Shutdown) {
    loop {
        {
            let _in_flight = auth.enter();
            report(auth.sweep().await);
        }
        select! {
            biased;
            () = &mut shutdown => return,
            () = auth.sweep_is_due() => {}
            () = sleep(SWEEP_EVERY) => {}
        }
    }
}

/// What a node without jobs has to know nevertheless.
async fn take_stock(auth: Auth, mut shutdown: Shutdown) {
    loop {
        {
            let _in_flight = auth.enter();
            report(auth.take_stock().await);
        }
        select! {
            biased;
            () = &mut shutdown => return,
            () = sleep(SWEEP_EVERY) => {}
        }
    }
}

fn report(done: Result<(), Error>) {
    if let Err(error) = done {
        error!("background job: {}", errors_in_a_row(&error));
    }
}

/// One round of the background jobs, for tests of an app that sets `jobs = false`: sends every letter
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
