// Adds to the counter under the lock of node-redlock: counter.mjs CLIENT FILE ROUNDS URL...
import { readFileSync, writeFileSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import { Redis } from "ioredis";
import Redlock from "redlock";

const [client, path, rounds, ...urls] = process.argv.slice(2);
const servers = urls.map((url) => new Redis(url));
const redlock = new Redlock(servers, { retryCount: -1, retryDelay: 20, retryJitter: 15 });

for (let round = 0; round < Number(rounds); round++) {
  const lock = await redlock.acquire(["counter"], 10_000);
  const [number, turns, last] = readFileSync(path, "utf8").split(" ");
  await setTimeout(2);
  writeFileSync(path, `${Number(number) + 1} ${Number(turns) + Number(last !== client)} ${client}`);
  await lock.release();
  await setTimeout(2);
}
servers.forEach((server) => server.disconnect());
