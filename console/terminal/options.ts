/** What the commands have in common: the options that mean the same wherever they stand, and what declaring a command takes. */
import { type Command, InvalidArgumentError, Option } from 'commander'
import type { FederationFile } from './federation-file.ts'
import type { Terminal } from './text.ts'

/** What a command runs on. */
export type Around = {
  readonly federation: () => Promise<FederationFile>
  readonly terminal: Terminal
  readonly exit: (code: number) => void
}
export type Json = { readonly json?: boolean }
/** Options as the command line gives them, without those that it does not give. */
export type Given<T extends { readonly json: boolean }, Without extends keyof T = 'json'> = Omit<T, 'json' | Without> & Json

export const jsonOption = (): Option => new Option('--json', '机器可读输出 machine-readable output')

/** Whom a command speaks to is said by `--at`, in every command; `flags` may give it an older name beside. */
export const atOption = (flags = '--at'): Option =>
  new Option(`${flags} <program>`, '枢纽（hub）或成员代码 hub, or the code of a member').makeOptionMandatory()
/** One that only a node can answer. */
export const atNodeOption = (flags = '--at'): Option =>
  new Option(`${flags} <code>`, '成员代码 code of a member').makeOptionMandatory()
export const audienceOption = (): Option => new Option('--audience <name>', '范围；默认 all audience, all unless given')

/** By a client of its own, in the role that the command is for. */
export const acting = (command: Command, role: string): Command =>
  command
    .option('--as <role>', '以此角色的客户端身份 as the client with this role', role)
    .option('--client <file>', '客户端密钥文件 file of another client')
    .addOption(jsonOption())

export const settled = <T extends Json>(flags: T): T & { json: boolean } => ({ ...flags, json: flags.json === true })

const whole = (text: string, pattern: RegExp, expected: string): number => {
  if (pattern.test(text)) return Number(text)
  throw new InvalidArgumentError(expected)
}
export const count = (text: string): number =>
  whole(text, /^[1-9][0-9]{0,5}$/, '应为 1 至 999999 的整数 expected a whole number from 1 to 999999')
/** Of an epoch or of an entry in it. */
export const place = (text: string): number => whole(text, /^(0|[1-9][0-9]{0,9})$/, '应为整数 expected a whole number')
