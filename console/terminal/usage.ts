/** What the command line says of its own use. The library speaks English; the Chinese is put before it. */
import { type Command, Help } from 'commander'
import type { Terminal } from './text.ts'

const TITLES: { readonly [title: string]: string } = {
  'Usage:': '用法 Usage:',
  'Arguments:': '参数 Arguments:',
  'Options:': '选项 Options:',
  'Commands:': '命令 Commands:',
}

/** By the beginning of what the library says. */
const FAULTS: readonly (readonly [said: RegExp, zh: string])[] = [
  [/^unknown command/, '没有这个命令'],
  [/^unknown option/, '没有这个选项'],
  [/^missing required argument/, '缺少参数'],
  [/^required option .* not specified/, '缺少必需的选项'],
  [/^option .* argument missing/, '选项缺少值'],
  [/^option .* cannot be used with/, '选项不能同时使用'],
  [/^option .* is invalid/, '选项的值无效'],
  [/^command-argument value/, '参数的值无效'],
  [/^too many arguments/, '参数过多'],
]

export function formatFault(text: string): string {
  const said = text.replace(/^error: /, '')
  const zh = FAULTS.find(([pattern]) => pattern.test(said))?.[1] ?? '用法有误'
  return `✘ ${zh} ${said}`
}

/** A command, and those that are added to it, whose help and refusals are in Chinese and English and go to the terminal. */
export const inBothLanguages = (command: Command, terminal: Terminal): Command =>
  command
    .helpOption('-h, --help', '显示用法 shows how to use it')
    .helpCommand(false)
    .showHelpAfterError('（--help 查看用法 shows how to use it）')
    .exitOverride()
    .configureHelp({
      styleTitle: title => TITLES[title] ?? title,
      optionDescription: option =>
        new Help().optionDescription(option).replace('(choices: ', '(可选 choices: ').replace('default: ', '默认 default: '),
      argumentDescription: argument => new Help().argumentDescription(argument).replace('(choices: ', '(可选 choices: '),
    })
    .configureOutput({
      writeOut: text => terminal.out.write(text),
      writeErr: text => terminal.err.write(text),
      outputError: (text, write) => write(formatFault(text)),
    })
