// Asking the server, and keeping what it said: a run grows by what is new.

/** An answer that is an error. */
export class ServerError extends Error {}

async function ask(path, mark) {
  const headers = mark ? { "If-None-Match": mark } : {};
  const response = await fetch(path, { headers, cache: "no-store" });
  if (response.status === 304) {
    // Unread, the browser's tools would list it as failed.
    await response.arrayBuffer();
    return null;
  }
  const body = await response.json().catch(() => ({ error: `the server answered ${response.status}` }));
  if (!response.ok) throw new ServerError(body.error ?? `the server answered ${response.status}`);
  return { body, mark: response.headers.get("ETag") };
}

/** The list of runs. */
export async function runs() {
  return (await ask("/api/runs")).body;
}

/** An architecture of a run, looked at closely. */
export async function inspect(run, vector) {
  return (await ask(`/api/runs/${encodeURIComponent(run)}/arch/${encodeURIComponent(vector)}`)).body;
}

/** The address of a sample grid. */
export function picture(run, image) {
  return `/runs/${encodeURIComponent(run)}/${image.path.split("/").map(encodeURIComponent).join("/")}`;
}

/** A run that is followed. */
export class Run {
  constructor(name) {
    this.name = name;
    this.data = null;
    this.mark = null;
  }

  /** Brings it up to date; whether anything changed. */
  async refresh() {
    const base = `/api/runs/${encodeURIComponent(this.name)}`;
    // Rows of the last two iterations may still move on the axis; earlier ones do not.
    const since = this.data ? Math.max(0, this.lastIteration() - 1) : 0;
    const answer = await ask(since > 0 ? `${base}/since/${since}` : base, this.mark);
    if (!answer) return false;
    const fresh = answer.body;
    const whole = fresh.since === 0 ? fresh : this.joined(fresh);
    if (!whole) {
      // The run was resumed from before what is known of it.
      this.data = null;
      this.mark = null;
      return this.refresh();
    }
    this.data = whole;
    this.mark = answer.mark;
    return true;
  }

  lastIteration() {
    return this.data.trials.reduce((last, trial) => Math.max(last, Math.floor(trial.at)), 0);
  }

  joined(fresh) {
    const { since } = fresh;
    const before = this.data;
    if (fresh.sessions.length !== before.sessions.length) return null;
    const trials = before.trials.filter((trial) => trial.at < since).concat(fresh.trials);
    trials.sort((a, b) => a.id - b.id);
    if (trials.length !== fresh.trial_count) return null;
    const scalars = {};
    for (const [tag, tail] of Object.entries(fresh.scalars)) {
      const old = before.scalars[tag];
      if (!old) { scalars[tag] = tail; continue; }
      const end = lowerBound(old.at, since);
      scalars[tag] = {};
      for (const column of ["tick", "at", "value", "seconds"]) {
        scalars[tag][column] = old[column].slice(0, end).concat(tail[column]);
      }
    }
    return { ...fresh, trials, scalars };
  }
}

function lowerBound(sorted, value) {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle] < value) low = middle + 1; else high = middle;
  }
  return low;
}
