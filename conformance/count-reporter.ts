/**
 * The last line of a test run: `N passed, N failed`, and `, N skipped` if any. It is what a machine reads, so it never says that
 * nothing failed when something did: a file that could not be loaded, a hook that threw, an error outside every test, a run that
 * was cut short or ended with an exit code other than 0 each count as a failure. Written as the process ends, after every other word.
 */
import type { Reporter, SerializedError, TestModule } from 'vitest/node'

type Counts = { readonly passed: number; readonly failed: number; readonly skipped: number }

const formatCounts = ({ passed, failed, skipped }: Counts): string =>
  `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`

/** A test without a result when the run ends was not run, which is no pass. */
const countModule = (module: TestModule): Counts => {
  const count = { passed: 0, failed: 0, skipped: 0, pending: 0 }
  for (const test of module.children.allTests()) count[test.result().state]++
  const broken = [module, ...module.children.allSuites()].filter(suite => suite.errors().length > 0).length
  const failed = count.failed + count.pending + broken
  return { ...count, failed: failed === 0 && module.state() === 'failed' ? 1 : failed }
}

export class CountReporter implements Reporter {
  #counts: Counts = { passed: 0, failed: 0, skipped: 0 }

  onInit(): void {
    process.once('exit', code => {
      const failed = this.#counts.failed === 0 && code !== 0 ? 1 : this.#counts.failed
      process.stdout.write(`${formatCounts({ ...this.#counts, failed })}\n`)
    })
  }

  onTestRunEnd(modules: readonly TestModule[], unhandled: readonly SerializedError[]): void {
    const start: Counts = { passed: 0, failed: unhandled.length, skipped: 0 }
    this.#counts = modules.map(countModule).reduce(
      (sum, one) => ({
        passed: sum.passed + one.passed,
        failed: sum.failed + one.failed,
        skipped: sum.skipped + one.skipped,
      }),
      start,
    )
  }
}
