// A program in Node that the tests in Go steer: one JSON object a line in, {id, op, ...}; one a line out, {id, result} or
// {id, error}, and {event, ...} for what happens by itself. It uses the public interface of BullMQ only.
import { createInterface } from 'node:readline';
import IORedis from 'ioredis';

const [version, url, prefix] = process.argv.slice(2);
const { Queue, Worker, QueueEvents, FlowProducer, UnrecoverableError } = await import(version === '5' ? 'bullmq5' : 'bullmq6');

const connection = () => new IORedis(url, { maxRetriesPerRequest: null });
const shared = connection();
const queues = new Map(), workers = new Map(), listeners = new Map(), taken = new Map();
const say = (o) => process.stdout.write(JSON.stringify(o) + '\n');
const queue = (name) => {
  if (!queues.has(name)) queues.set(name, new Queue(name, { connection: shared, prefix }));
  return queues.get(name);
};

// What a worker does is in the job's data: {fail: n} fails the first n attempts, {unrecoverable: true} fails for good,
// {ms: n} takes time, {hang: true} never ends, {result: x} is returned.
async function process_(job) {
  say({ event: 'processed', id: job.id, queue: job.queueName, by: job.token, attempt: job.attemptsMade, data: job.data });
  const d = job.data ?? {};
  if (d.ms) await new Promise((r) => setTimeout(r, d.ms));
  if (d.hang) await new Promise(() => {});
  if (d.unrecoverable) throw new UnrecoverableError('for good');
  if (d.fail > job.attemptsMade) throw new Error('failure ' + (job.attemptsMade + 1));
  if (d.children) return await job.getChildrenValues();
  return 'result' in d ? d.result : { by: 'node' };
}

const ops = {
  add: async ({ queue: q, name, data, opts }) => (await queue(q).add(name, data, opts)).id,
  addBulk: async ({ queue: q, jobs }) => (await queue(q).addBulk(jobs)).map((j) => j.id),
  worker: async ({ queue: q, key, opts }) => {
    const w = new Worker(q, process_, { connection: connection(), prefix, ...opts });
    w.on('error', (e) => say({ event: 'workerError', error: String(e) }));
    w.on('failed', (j, e) => say({ event: 'failed', id: j?.id, error: e.message }));
    await w.waitUntilReady();
    workers.set(key ?? q, w);
  },
  closeWorker: async ({ key }) => {
    await workers.get(key).close();
    workers.delete(key);
  },
  listen: async ({ queue: q }) => {
    // From the beginning: bullmq is "ready" before its first read says where it begins.
    const e = new QueueEvents(q, { connection: connection(), prefix, lastEventId: '0-0' });
    const ignored = new Set(['ioredis:close']);
    const emit = e.emit.bind(e);
    e.emit = (name, ...args) => {
      if (!ignored.has(name) && !String(name).includes(':')) {
        say({ event: 'queueEvent', queue: q, name, args: name === 'error' ? [String(args[0])] : args });
      }
      return emit(name, ...args);
    };
    e.on('error', () => {});
    await e.waitUntilReady();
    listeners.set(q, e);
  },
  wait: async ({ queue: q, job, ms }) => (await queue(q).getJob(job)).waitUntilFinished(listeners.get(q), ms ?? 15000),
  job: async ({ queue: q, job }) => {
    const j = await queue(q).getJob(job);
    return j && { ...j.asJSON(), state: await j.getState() };
  },
  counts: ({ queue: q }) => queue(q).getJobCounts(),
  workers: ({ queue: q }) => queue(q).getWorkers(),
  pause: ({ queue: q }) => queue(q).pause(),
  resume: ({ queue: q }) => queue(q).resume(),
  isPaused: ({ queue: q }) => queue(q).isPaused(),
  remove: async ({ queue: q, job }) => (await queue(q).getJob(job)).remove(),
  retry: async ({ queue: q, job, state }) => (await queue(q).getJob(job)).retry(state),
  promote: async ({ queue: q, job }) => (await queue(q).getJob(job)).promote(),
  changePriority: async ({ queue: q, job, priority }) => (await queue(q).getJob(job)).changePriority({ priority }),
  logs: ({ queue: q, job }) => queue(q).getJobLogs(job),
  setGlobalConcurrency: ({ queue: q, n }) => queue(q).setGlobalConcurrency(n),
  setGlobalRateLimit: ({ queue: q, max, ms }) => queue(q).setGlobalRateLimit(max, ms),
  upsertScheduler: async ({ queue: q, scheduler, repeat, template }) => (await queue(q).upsertJobScheduler(scheduler, repeat, template))?.id,
  removeScheduler: ({ queue: q, scheduler }) => queue(q).removeJobScheduler(scheduler),
  schedulers: ({ queue: q }) => queue(q).getJobSchedulers(),
  flow: async ({ flow }) => {
    const p = new FlowProducer({ connection: shared, prefix });
    return (await p.add(flow)).job.id;
  },
  childrenValues: async ({ queue: q, job }) => (await queue(q).getJob(job)).getChildrenValues(),
  // A worker that takes a job when it is told to.
  take: async ({ queue: q, token }) => {
    const key = 'manual:' + q;
    if (!workers.has(key)) workers.set(key, new Worker(q, null, { connection: shared, prefix, autorun: false }));
    const j = await workers.get(key).getNextJob(token, { block: false });
    if (j) taken.set(j.id, j);
    return j?.id;
  },
  finish: async ({ job, token, result, error }) => {
    const j = taken.get(job);
    taken.delete(job);
    if (error === undefined) await j.moveToCompleted(result, token, false);
    else await j.moveToFailed(new Error(error), token, false);
  },
  retryAnew: async ({ queue: q, job }) => (await queue(q).getJob(job)).retry('failed', { resetAttemptsMade: true }),
  forget: async ({ queue: q }) => {
    for (const [m, key] of [[workers, 'manual:' + q], [queues, q]]) {
      await m.get(key)?.close();
      m.delete(key);
    }
  },
  exit: () => process.exit(0),
};

for await (const line of createInterface({ input: process.stdin })) {
  const { id, op, ...args } = JSON.parse(line);
  Promise.resolve()
    .then(() => ops[op](args))
    .then((result) => say({ id, result: result ?? null }), (e) => say({ id, error: String(e?.message ?? e) }));
}
process.exit(0);
