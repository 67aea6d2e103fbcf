import { expect, test } from 'vitest'
import { brokerUsers } from './broker-users.ts'
import { DEMO_MEMBERS } from './members.ts'

test('a member may publish nothing but under its own code, and hears no other member’s receipts or answers', () => {
  const [hub, ...members] = brokerUsers(DEMO_MEMBERS, name => `password-of-${name}`)
  expect(hub).toEqual({ user: 'hub', password: 'password-of-hub', publish: ['>'], subscribe: ['>'] })
  expect(members.map(({ user }) => user)).toEqual(DEMO_MEMBERS.map(({ code }) => code))
  for (const { user, publish, subscribe } of members) {
    expect(publish.filter(subject => !subject.includes(user))).toEqual(['$JS.API.INFO'])
    expect(
      subscribe.filter(subject => !subject.includes(user) && subject !== 'head.*.all' && subject !== 'head.*.national'),
    ).toEqual([])
  }
})

test('only the national reader hears the heads of the national audience', () => {
  const hearing = brokerUsers(DEMO_MEMBERS, () => 'x').filter(({ subscribe }) => subscribe.includes('head.*.national'))
  expect(hearing.map(({ user }) => user)).toEqual(['000000'])
})
