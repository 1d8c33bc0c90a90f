import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Lab } from '../netns/lab.ts';
import type { Namespace } from '../netns/namespace.ts';
import { until } from '../waiting.ts';
import { Machine } from './machine.ts';
import { missingLine } from './output.ts';
import type { MachineMark, OutputStep, RunStep, Step, Tutorial } from './parse.ts';

/** The networks for documentation (RFC 5737), and those that stand for them here: a node tells nobody of an address that no network on Earth has. */
const ADDRESSES = [
  ['203\\.0\\.113', '45.113.0'],
  ['198\\.51\\.100', '45.51.100'],
] as const;

const LAST_BYTE = /\d+$/;

/** What the output shows may need a while: a relay found, a member cut off. */
const OUTPUT_TIMEOUT_MS = 20_000;

/** Runs a tutorial from its first block to its last, on machines of its own. */
export class Play {
  readonly #lab = new Lab();
  readonly #machines = new Map<string, Machine>();
  readonly #captured = new Map<string, string>();
  readonly #dir: string;
  /** What the block before has printed, now. */
  #printed: () => string | Promise<string> = () => '';

  static async open({ machines }: Tutorial): Promise<Play> {
    const play = new Play(await mkdtemp(join(tmpdir(), 'relayd-tutorial-')));
    await play.#build(machines);
    return play;
  }

  private constructor(dir: string) {
    this.#dir = dir;
  }

  async step(step: Step): Promise<void> {
    if (step.kind === 'output') return this.#expect(step);
    const machine = this.#machines.get(step.on);
    if (machine === undefined) throw new Error(`no machine ${step.on}`);
    if (step.kind === 'file') return machine.write(this.#filled(step.path), this.#filled(step.text));
    if (step.kind === 'stop') return machine.stopLast();
    if (step.until === undefined) return this.#run(machine, step);
    this.#printed = await machine.start(this.#filled(step.script), step.until);
    if (step.capture !== undefined) this.#captured.set(step.capture, new RegExp(step.until, 'm').exec(await this.#printed())?.[0] ?? '');
  }

  async close(): Promise<void> {
    await Promise.all([...this.#machines.values()].map((machine) => machine.close()));
    this.#lab.close();
    await rm(this.#dir, { recursive: true, force: true });
  }

  async #run(machine: Machine, step: RunStep): Promise<void> {
    const script = this.#filled(step.script);
    const { code, stdout, output } = await machine.run(script);
    this.#printed = step.again ? async () => (await machine.run(script)).output : () => output;
    if ((code !== 0) !== step.fails) {
      throw new Error(`it ended with ${code}: ${script}\n${output}`);
    }
    if (step.capture !== undefined) {
      const value = stdout.trim().split('\n').at(-1) ?? '';
      if (value === '') throw new Error(`nothing to capture as ${step.capture}: ${script}\n${output}`);
      this.#captured.set(step.capture, value);
    }
  }

  /** What goes on may need a moment to say it. */
  async #expect({ text }: OutputStep): Promise<void> {
    const wanted = this.#filled(text);
    let printed = '';
    await until(async () => {
      printed = await this.#printed();
      return missingLine(wanted, printed) === undefined;
    }, 'the output that the tutorial shows', OUTPUT_TIMEOUT_MS).catch(() => {
      throw new Error(`it did not print "${missingLine(wanted, printed)}" but:\n${printed}`);
    });
  }

  #filled(text: string): string {
    return [...this.#captured, ...ADDRESSES].reduce((filled, [name, value]) => filled.replaceAll(new RegExp(`\\b${name}\\b`, 'g'), () => value), text);
  }

  /** Public machines and the routers of private ones hang on one router, the Internet. */
  async #build(machines: readonly MachineMark[]): Promise<void> {
    const internet = this.#lab.router('internet');
    for (const [index, { name, address }] of machines.entries()) {
      const host = this.#lab.host(name);
      if (address === undefined) this.#attachPrivate(internet, host, index);
      else this.#attach(internet, host, this.#filled(address));
      this.#machines.set(name, await Machine.make(host, join(this.#dir, name)));
    }
  }

  #attach(router: Namespace, host: Namespace, address: string): void {
    const gateway = address.replace(LAST_BYTE, '1');
    this.#lab.cable(router, gateway, host, address);
    host.defaultRoute(gateway);
  }

  #attachPrivate(internet: Namespace, host: Namespace, index: number): void {
    const nat = this.#lab.router(`nat${index}`);
    this.#attach(internet, nat, `45.0.${index + 1}.2`);
    this.#attach(nat, host, '192.168.1.2');
    nat.masquerade(internet);
  }
}
