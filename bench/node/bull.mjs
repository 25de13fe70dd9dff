// One measure of bullmq: node bull.mjs URL MEASURE PARAMETERS. It prints one line of JSON.
import IORedis from 'ioredis';
import { Queue, Worker } from 'bullmq';

const [url, measure, text] = process.argv.slice(2);
const p = JSON.parse(text);
const connection = () => new IORedis(url, { maxRetriesPerRequest: null });
const main = connection();
const queue = new Queue('bench', { connection: main });
const data = { s: 'x'.repeat(90) };
const cpu = async () => {
  const info = await main.info('cpu');
  return ['user', 'sys'].reduce((sum, k) => sum + Number(new RegExp(`used_cpu_${k}:([0-9.]+)`).exec(info)[1]), 0);
};
const memory = async () => Number(/used_memory:(\d+)/.exec(await main.info('memory'))[1]);

async function add(n) {
  let left = n;
  await Promise.all(Array.from({ length: p.width }, async () => {
    while (left-- > 0) await queue.add('n', data, { attempts: 3 });
  }));
}
async function bulk(n) {
  for (; n > 0; n -= p.size) {
    await queue.addBulk(Array.from({ length: Math.min(n, p.size) }, () => ({ name: 'n', data, opts: { attempts: 3 } })));
  }
}
async function timed(n, work) {
  const before = await cpu(), from = process.hrtime.bigint();
  await work();
  const seconds = Number(process.hrtime.bigint() - from) / 1e9;
  return [n / seconds, ((await cpu()) - before) * 1e6 / n];
}
const measures = {
  add: async () => {
    await add(200);
    return timed(p.n, () => add(p.n));
  },
  bulk: async () => {
    await bulk(p.size);
    return timed(p.n, () => bulk(p.n));
  },
  drain: async () => {
    p.size = 1000;
    await bulk(p.n);
    let left = p.n;
    return timed(p.n, () => new Promise((resolve) => {
      new Worker('bench', async () => { if (--left === 0) setImmediate(resolve); },
        { connection: connection(), concurrency: p.width, removeOnComplete: { age: 3600, count: 1000 } });
    }));
  },
  latency: async () => {
    let arrived;
    const w = new Worker('bench', async () => arrived(process.hrtime.bigint()), { connection: connection(), concurrency: 10 });
    await w.waitUntilReady();
    const took = [];
    for (let i = 0; i < p.n + 20; i++) {
      await new Promise((r) => setTimeout(r, 2));
      const at = new Promise((r) => { arrived = r; });
      const from = process.hrtime.bigint();
      await queue.add('n', data);
      const ms = Number((await at) - from) / 1e6;
      if (i >= 20) took.push(ms);
    }
    took.sort((a, b) => a - b);
    return [took[took.length >> 1], took[Math.floor(took.length * 0.99)]];
  },
  bytes: async () => {
    const before = await memory();
    p.size = 1000;
    await bulk(p.n);
    return [((await memory()) - before) / p.n];
  },
};
const values = await measures[measure]();
process.stdout.write(JSON.stringify(values) + '\n', () => process.exit(0));
