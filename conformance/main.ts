/** `npm run conformance`: published suites, fuzzing, and what is asked of those who want to be admitted. */
import { runConformance } from './program.ts'

process.exitCode = await runConformance(process.argv.slice(2), { out: process.stdout, err: process.stderr })
