import { describe, expect, it } from 'vitest'
import { FETCH_LIMITS, fetchCrl, isAllowedAddress, retryAfter } from './crl-fetcher.ts'

describe('where a revocation list may be asked for', () => {
  it.each([
    '127.0.0.1',
    '127.8.9.1',
    '::1',
    '::ffff:127.0.0.1',
    '0.0.0.0',
    '::',
    '169.254.169.254',
    'fe80::1',
    'ff02::1',
    '224.0.0.1',
    '255.255.255.255',
  ])('not at %s', address => {
    expect(isAllowedAddress(address, { loopback: false })).toBe(false)
  })
  it.each(['10.1.2.3', '172.16.0.1', '192.168.1.1', '114.114.114.114', '2400:3200::1', 'fd00::1'])('at %s', address => {
    expect(isAllowedAddress(address, { loopback: false })).toBe(true)
  })
  it('at this machine for tests alone, and never at the local link', () => {
    expect(isAllowedAddress('127.0.0.1', { loopback: true })).toBe(true)
    expect(isAllowedAddress('169.254.169.254', { loopback: true })).toBe(false)
  })
  it.each(['http://127.0.0.1:9/a.crl', 'http://[::1]:9/a.crl', 'http://localhost:9/a.crl', 'http://169.254.169.254/a'])(
    '%s is refused before anything is sent',
    async address => {
      const asked = fetchCrl(address, { etag: null, lastModified: null }, { loopback: false, signal: AbortSignal.timeout(5000) })
      await expect(asked).rejects.toMatchObject({ code: 'CRL_UNAVAILABLE', reason: expect.stringMatching(/address|EACCES/) })
    },
  )
})

it('whoever does not answer is asked more and more rarely, up to a bound', () => {
  const waits = [1, 2, 3, 4, 20, 1000].map(retryAfter)
  expect(waits.slice(0, 4)).toEqual([1, 2, 4, 8].map(times => times * FETCH_LIMITS.retryMs))
  expect(waits.slice(4)).toEqual([FETCH_LIMITS.longestRetryMs, FETCH_LIMITS.longestRetryMs])
})
