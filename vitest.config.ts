import { defineConfig } from 'vitest/config'
import { CountReporter } from './conformance/count-reporter.ts'

export default defineConfig({
  test: {
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: ['{schemas,runtime,adapters,hub,node,console,conformance}/**/*.test.ts'],
          exclude: ['**/*.system.test.ts'],
        },
      },
      {
        extends: true,
        test: {
          name: 'system',
          include: ['conformance/**/*.system.test.ts', 'runtime/**/*.system.test.ts'],
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
    ],
    maxWorkers: 2,
    reporters: ['default', new CountReporter()],
  },
})
