/** What `npm run conformance` understands, apart from the process it runs in. */
import { Command, CommanderError } from 'commander'
import { formatError, type Terminal } from '../console/terminal/text.ts'
import { inBothLanguages } from '../console/terminal/usage.ts'
import { addFuzzCommand } from './fuzz/command.ts'
import { addAdmissionCommands } from './suites/admission-command.ts'
import { addSuiteCommand } from './suites/command.ts'

export const EXIT = { ok: 0, wrong: 1, usage: 2 } as const

/** Runs one command line, without the program's name. Answers the exit code; never rejects. */
export async function runConformance(args: readonly string[], terminal: Terminal): Promise<number> {
  let exitCode: number = EXIT.ok
  const program = inBothLanguages(new Command('conformance'), terminal).description(
    '一致性检验。Conformance checks.\n退出码 exit codes: 0 全部正确 nothing wrong, 1 有误或无法进行 something wrong, 2 用法错误 usage',
  )
  const around = {
    terminal,
    exit: (code: number): void => {
      exitCode = code
    },
  }
  addSuiteCommand(program, around)
  addFuzzCommand(program, around)
  addAdmissionCommands(program, around)
  try {
    await program.parseAsync(args, { from: 'user' })
    return exitCode
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage
    terminal.err.write(formatError(error))
    return EXIT.wrong
  }
}
